#include "render/colour.h"

#include <math.h>

/* Ten colours found by search as points of a map show them, a fifth white: the two nearest are then 0.166 apart in Oklab
 * for normal eyes (0.169 as they are), and 0.107, 0.107 and 0.088 as people without red, green or blue cones see them (matrices of Machado et al.
 * 2009). Classes that are often neighbours, a 4 and a 9, a dress and a shirt, got those that differ most. */
static const uint32_t few[10] = {0x004fe4, 0xff606e, 0x6bd403, 0x1e3f02, 0x894957,
                                 0x6a7a00, 0x21acba, 0x4e0a57, 0xaa00a0, 0x9071ff};

static uint32_t byte_of_linear(double v) {
    v = v <= 0 ? 0 : v >= 1 ? 1 : v;
    v = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
    return (uint32_t)lrint(255 * v);
}

/* Oklab's cylinder (https://bottosson.github.io/posts/oklab): steps of equal hue look equally wide, and lightness is
 * held. */
static uint32_t oklch(double lightness, double chroma, double turn) {
    double a = chroma * cos(turn * 2 * M_PI), b = chroma * sin(turn * 2 * M_PI);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return byte_of_linear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s) << 16 |
           byte_of_linear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s) << 8 |
           byte_of_linear(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

uint32_t elbo_colour(int i, int count) {
    if (count <= 10) return few[i % 10];
    static const double lightness[3] = {0.62, 0.42, 0.78}; // neighbours on the wheel differ in this too
    return oklch(lightness[i % 3], 0.14, 0.08 + (double)i / count);
}
