/* `digits`: handwritten-looking digits drawn by a procedure, so that everything can be tried without a download.
 *
 * An image is made in four steps: pick one of its digit's ways of writing (digit_shapes.c) and move its points about;
 * draw a smooth curve through them; bend, slant and turn the curve and fit it into 20 x 20 pixels in the middle of the
 * image, as MNIST's digits are; give every pixel near it the ink that its distance to the stroke deserves.
 *
 * Every machine makes the same bits: only + - * / and sqrt are used, which IEEE 754 defines to the last bit; no sine,
 * no fused multiply-add. Image i depends on (split, i) alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "data/data.h"
#include "data/digit_shapes.h"

enum {
    SIDE = 28,
    BOX = 20,            // ink lies in a box of about this size
    MARGIN = 8,          // columns right of the image that a vector may touch
    ROW = SIDE + MARGIN, // of the canvas
    CLASSES = 10,
    MAX_DOTS = 160,         // of one image's curves
    NUMBERS = 96,           // random numbers for one image
    IMAGES_PER_PIECE = 500, // fixed, whatever the number of threads
};

/* The random numbers of one image, used up from first to last. One roll per statement or declarator: within an
 * expression each compiler rolls in an order of its own. */
typedef struct dice {
    float number[NUMBERS];
    int used;
} dice;

static float roll(dice *d, float low, float high) { return low + (high - low) * d->number[d->used++ % NUMBERS]; }

/* Bell-shaped around 0 with a standard deviation of about `width`, never beyond 3 of it: three uniforms added. */
static float roll_bell(dice *d, float width) {
    float a = roll(d, -1.0f, 1.0f), b = roll(d, -1.0f, 1.0f), c = roll(d, -1.0f, 1.0f);
    return (a + b + c) * width;
}

typedef struct dot {
    float x, y;   // first in the shape's units, then in pixels
    float radius; // half of the stroke's thickness, in pixels
    bool starts;  // a new stroke: no line from the dot before
} dot;

typedef struct curve {
    dot dots[MAX_DOTS];
    int count;
} curve;

static void add_dot(curve *c, float x, float y, bool starts) {
    if (c->count == MAX_DOTS) return; // (no shape comes near it; a test draws thousands)
    c->dots[c->count++] = (dot){.x = x, .y = y, .starts = starts};
}

/* The Catmull-Rom spline from b to c, whose neighbours are a and d; b itself is there already. */
static void add_spline(curve *out, const float a[2], const float b[2], const float c[2], const float d[2]) {
    float dx = c[0] - b[0], dy = c[1] - b[1];
    int steps = 1 + (int)(sqrtf(dx * dx + dy * dy) * (BOX / 1.9f)); // lines of about 2 pixels
    for (int i = 1; i <= steps; i++) {
        float t = (float)i / (float)steps, p[2];
        for (int k = 0; k < 2; k++) {
            float linear = c[k] - a[k], square = 2.0f * a[k] - 5.0f * b[k] + 4.0f * c[k] - d[k];
            float cubic = 3.0f * (b[k] - c[k]) + d[k] - a[k];
            p[k] = b[k] + 0.5f * t * (linear + t * (square + t * cubic));
        }
        add_dot(out, p[0], p[1], false);
    }
}

static float distance(const elbo_digit_point *a, const elbo_digit_point *b) {
    float x = a->x - b->x, y = a->y - b->y;
    return sqrtf(x * x + y * y);
}

/* The points moved about, each by itself, and a smooth curve through them; at a corner the curve may turn sharply. */
static void draw_strokes(curve *out, const elbo_digit_shape *shape, float jitter, dice *d) {
    float p[ELBO_DIGIT_MAX_POINTS][2];
    for (int i = 0; i < shape->count; i++) {
        const elbo_digit_point *q = &shape->point[i];
        // Where a stroke begins or ends matters least to the writer; where points lie close, moving one by much would
        // dent the curve.
        bool begins = q->kind == ELBO_DIGIT_START, ends = i + 1 == shape->count || q[1].kind == ELBO_DIGIT_START;
        float before = begins ? 1.0f : distance(q, q - 1), after = ends ? 1.0f : distance(q, q + 1);
        float room = 1.7f * (before < after ? before : after);
        float reach = jitter * (room < 1.0f ? room * room : 1.0f) * (begins || ends ? 1.6f : 1.0f);
        p[i][0] = q->x + roll(d, -reach, reach);
        p[i][1] = q->y + roll(d, -reach, reach);
    }
    for (int i = 0; i < shape->count; i++) {
        const elbo_digit_point *q = &shape->point[i];
        if (q->kind == ELBO_DIGIT_START) {
            add_dot(out, p[i][0], p[i][1], true);
            continue;
        }
        bool first = q[-1].kind != ELBO_DIGIT_SMOOTH;
        bool last = q->kind == ELBO_DIGIT_CORNER || i + 1 == shape->count || q[1].kind == ELBO_DIGIT_START;
        add_spline(out, p[first ? i - 1 : i - 2], p[i - 1], p[i], p[last ? i : i + 1]);
    }
}

/* A wave of period 1 and height 1, made of parabolas: the sine's shape without its libm. */
static float wave(float t) {
    t -= (float)(int)t; // t >= 0
    float u = 2.0f * t - 1.0f;
    return 4.0f * u * (u < 0.0f ? 1.0f + u : 1.0f - u);
}

/* The writer's hand: slow waves across the paper, proportions, slant, turn. */
static void bend(curve *c, dice *d) {
    float height_x = roll(d, 0.0f, 0.07f), phase_x = roll(d, 0.0f, 1.0f), rate_x = roll(d, 0.5f, 1.2f);
    float height_y = roll(d, 0.0f, 0.06f), phase_y = roll(d, 0.0f, 1.0f), rate_y = roll(d, 0.5f, 1.3f);
    float widen = 1.0f + roll_bell(d, 0.17f), slant = 0.16f + roll_bell(d, 0.24f), turn = roll_bell(d, 0.12f);
    float belly = roll_bell(d, 0.16f); // the lower half wider than the upper one
    float waist = roll_bell(d, 0.16f); // the middle lower than half way

    // The angle whose tangent is `turn`. Two sums, not a sum and a difference: GCC 12 makes vfmaddsub of those where
    // the machine has it, even under -ffp-contract=off.
    float cosine = 1.0f / sqrtf(1.0f + turn * turn), sine = turn * cosine, minus_sine = -sine;
    for (int i = 0; i < c->count; i++) {
        dot *p = &c->dots[i];
        float x = p->x - 0.3f, y = p->y - 0.5f;
        float bent_x = x + height_x * wave(2.0f + rate_x * y + phase_x);
        float bent_y = y + height_y * wave(2.0f + rate_y * x + phase_y) + waist * (0.25f - y * y);
        bent_x = bent_x * widen * (1.0f + belly * 2.0f * y) - slant * bent_y;
        p->x = cosine * bent_x + minus_sine * bent_y;
        p->y = sine * bent_x + cosine * bent_y;
    }
}

/* Thickness in pixels, changing slowly along the stroke; then the whole to pixels, its weight in the middle. */
static void place(curve *c, dice *d) {
    float pen = roll(d, 1.6f, 2.8f), press = roll(d, 0.0f, 0.8f), thick = pen + press;
    float change = roll(d, 0.0f, 0.16f), phase = roll(d, 0.0f, 1.0f), rate = roll(d, 0.01f, 0.05f);
    float left = c->dots[0].x, right = left, top = c->dots[0].y, bottom = top;
    for (int i = 0; i < c->count; i++) {
        dot *p = &c->dots[i];
        p->radius = 0.5f * thick * (1.0f + change * wave(phase + rate * (float)i));
        left = p->x < left ? p->x : left;
        right = p->x > right ? p->x : right;
        top = p->y < top ? p->y : top;
        bottom = p->y > bottom ? p->y : bottom;
    }
    float width = right - left, height = bottom - top, larger = width > height ? width : height;
    float scale = (BOX - thick) / larger * roll(d, 0.88f, 1.02f);
    // The centre of weight goes to the middle, as MNIST's does: each line counts by its length.
    float sum = 1e-6f, sum_x = 0, sum_y = 0;
    for (int i = 1; i < c->count; i++) {
        const dot *a = &c->dots[i - 1], *b = &c->dots[i];
        if (b->starts) continue;
        float dx = b->x - a->x, dy = b->y - a->y, length = sqrtf(dx * dx + dy * dy);
        sum += length;
        sum_x += length * 0.5f * (a->x + b->x);
        sum_y += length * 0.5f * (a->y + b->y);
    }
    float centre = 0.5f * SIDE, middle_x = sum_x / sum, middle_y = sum_y / sum;
    float shift_x = roll_bell(d, 0.35f), shift_y = roll_bell(d, 0.35f);
    for (int i = 0; i < c->count; i++) {
        dot *p = &c->dots[i];
        p->x = centre + shift_x + scale * (p->x - middle_x);
        p->y = centre + shift_y + scale * (p->y - middle_y);
    }
}

/* The canvas holds, per pixel, how deep it lies inside the stroke: radius less distance, of the nearest line. */
typedef struct canvas {
    float depth[SIDE][ROW];
} canvas;

static int clamp_int(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

/* One line of the curve onto the pixels that it can touch, eight columns at a time. */
static void draw_line(canvas *out, const dot *a, const dot *b, float soft) {
    float reach = (a->radius > b->radius ? a->radius : b->radius) + soft;
    float low_x = (a->x < b->x ? a->x : b->x) - reach, high_x = (a->x > b->x ? a->x : b->x) + reach;
    float low_y = (a->y < b->y ? a->y : b->y) - reach, high_y = (a->y > b->y ? a->y : b->y) + reach;
    if (high_x <= 0 || high_y <= 0 || low_x >= SIDE || low_y >= SIDE) return;
    // Pixel (row, column) has its centre at (column + 0.5, row + 0.5).
    int left = clamp_int((int)low_x, 0, SIDE - 1), right = clamp_int((int)high_x, 0, SIDE - 1);
    int top = clamp_int((int)low_y, 0, SIDE - 1), bottom = clamp_int((int)high_y, 0, SIDE - 1);
    float line_x = b->x - a->x, line_y = b->y - a->y, square = line_x * line_x + line_y * line_y;
    float inverse = square > 1e-12f ? 1.0f / square : 0.0f, grow = b->radius - a->radius;
    for (int column = left; column <= right; column += MARGIN)
        for (int row = top; row <= bottom; row++) {
            float *restrict depth = &out->depth[row][column];
            float y = (float)row + 0.5f - a->y;
            for (int k = 0; k < MARGIN; k++) {
                float x = (float)(column + k) + 0.5f - a->x;
                float t = (x * line_x + y * line_y) * inverse; // the nearest place on the line, 0 at a, 1 at b
                t = t < 0.0f ? 0.0f : t;
                t = t > 1.0f ? 1.0f : t;
                float off_x = x - t * line_x, off_y = y - t * line_y;
                float inside = a->radius + t * grow - sqrtf(off_x * off_x + off_y * off_y);
                depth[k] = inside > depth[k] ? inside : depth[k];
            }
        }
}

static void draw_image(uint8_t *pixels, int digit, uint32_t index, bool test) { // pixels: (28, 28)
    dice d = {.used = 0};
    elbo_random_uniform((elbo_stream){.purpose = ELBO_FOR_DIGITS, .epoch = test, .sample = index}, d.number, NUMBERS);
    curve c;
    c.count = 0;
    const elbo_digit_shape *shape = elbo_digit_pick(digit, roll(&d, 0.0f, 1.0f));
    float care = roll(&d, 0.0f, 1.0f);
    draw_strokes(&c, shape, 0.05f + 0.11f * care * care, &d); // most write well, some do not
    bend(&c, &d);
    place(&c, &d);
    float soft = roll(&d, 0.55f, 0.9f), ink = roll(&d, 0.95f, 1.2f); // the edge's half width; how dark the pen is
    canvas paper;
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < ROW; column++) paper.depth[row][column] = -SIDE;
    for (int i = 0; i < c.count; i++) {
        bool alone = c.dots[i].starts;
        draw_line(&paper, &c.dots[alone ? i : i - 1], &c.dots[i], soft);
    }
    float slope = 0.5f / soft;
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++) {
            float t = 0.5f + slope * paper.depth[row][column]; // 0 outside of the edge, 1 inside
            t = t < 0.0f ? 0.0f : t;
            t = t > 1.0f ? 1.0f : t;
            t = ink * t * t * (3.0f - 2.0f * t);
            t = t > 1.0f ? 1.0f : t;
            pixels[row * SIDE + column] = (uint8_t)(int)(255.0f * t + 0.5f);
        }
}

/* Ten images in a row hold each digit once, in an order of their own: balanced, yet a function of the index alone. */
static int digit_of(uint32_t index, bool test) {
    uint32_t order[CLASSES];
    elbo_stream s = {.purpose = ELBO_FOR_DIGITS, .epoch = 2 + (uint32_t)test, .sample = index / CLASSES};
    elbo_random_permutation(s, order, CLASSES);
    return (int)order[index % CLASSES];
}

typedef struct job {
    elbo_images *images;
    bool test;
} job;

static void draw_piece(void *context, int piece) {
    const job *j = context;
    uint32_t first = (uint32_t)piece * IMAGES_PER_PIECE, left = j->images->count - first;
    for (uint32_t i = first; i < first + (left < IMAGES_PER_PIECE ? left : IMAGES_PER_PIECE); i++) {
        int digit = digit_of(i, j->test);
        j->images->labels[i] = (uint8_t)digit;
        draw_image(j->images->bytes + (size_t)i * SIDE * SIDE, digit, i, j->test);
    }
}

elbo_status elbo_digits_make(elbo_images *images, bool test, uint32_t count, int threads, elbo_error *err) {
    enum { MOST = 1 << 28 };
    *images = (elbo_images){.shape = {1, SIDE, SIDE}, .count = count};
    if (count < 1 || count > MOST)
        return elbo_fail(err, ELBO_BAD_INPUT, "digits: %u images; expected 1 to %d", count, MOST);
    images->bytes = malloc((size_t)count * SIDE * SIDE);
    images->labels = malloc(count);
    if (!images->bytes || !images->labels) {
        elbo_images_free(images);
        return elbo_no_memory(err);
    }
    job j = {images, test};
    elbo_parallel_for(threads, (int)((count + IMAGES_PER_PIECE - 1) / IMAGES_PER_PIECE), draw_piece, &j);
    return ELBO_OK;
}
