#include "stats/simd/tsne_fft.h"
#include "stats/simd/tsne_kernels.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

typedef float vec4 __attribute__((vector_size(16)));
typedef float vec8 __attribute__((vector_size(32)));

/* ---- points and nodes: cubic B-splines ---- */

typedef struct place {
    int first;   // the first of four nodes
    vec4 weight; // theirs
} place;

static inline place locate(float u) {
    int node = (int)u;
    float f = u - (float)node, g = 1 - f;
    const float sixth = 1.0f / 6;
    return (place){
        node - 1,
        {g * g * g * sixth, (4 - 3 * f * f * (1 + g)) * sixth, (4 - 3 * g * g * (1 + f)) * sixth, f * f * f * sixth}};
}

static void scatter(float *charge, size_t side, const elbo_grid_point *points, size_t n) {
    for (size_t i = 0; i < n; i++) {
        place column = locate(points[i].u), line = locate(points[i].v);
        float *at = charge + (size_t)line.first * side + (size_t)column.first;
        for (int r = 0; r < 4; r++, at += side) {
            vec4 v;
            memcpy(&v, at, sizeof v);
            v += line.weight[r] * column.weight;
            memcpy(at, &v, sizeof v);
        }
    }
}

static void gather(float *out, const float *field, size_t side, const elbo_grid_point *points, size_t n) {
    for (size_t i = 0; i < n; i++) {
        place column = locate(points[i].u), line = locate(points[i].v);
        const float *at = field + 2 * ((size_t)line.first * side + (size_t)column.first);
        vec4 w = column.weight;
        vec8 weight = {w[0], w[0], w[1], w[1], w[2], w[2], w[3], w[3]}, sum = {};
        for (int r = 0; r < 4; r++, at += 2 * side) {
            vec8 v;
            memcpy(&v, at, sizeof v);
            sum += line.weight[r] * v;
        }
        sum *= weight;
        out[2 * (size_t)points[i].index] = (sum[0] + sum[2]) + (sum[4] + sum[6]);
        out[2 * (size_t)points[i].index + 1] = (sum[1] + sum[3]) + (sum[5] + sum[7]);
    }
}

/* ---- transforms ---- */

static inline vec zero(void) { return (vec){}; }

/* Two real images in one complex transform: X = (Z_k + conj Z_-k) / 2, Y = (Z_k - conj Z_-k) / 2i. The halves go into
 * the kernels. */
static void down(const elbo_fft *f, float *spectrum, const float *image, int rows, int columns, int block,
                 float *scratch) {
    int m = f->n;
    complex_vec *data = (complex_vec *)scratch, *spare = data + m;
    const float *from = image + 32 * (size_t)block;
    bool both = 32 * block + 16 < columns;
    for (int r = 0; r < rows; r++, from += columns)
        data[r] = (complex_vec){vload(from), both ? vload(from + 16) : zero()};
    for (int r = rows; r < m; r++) data[r] = (complex_vec){zero(), zero()};
    const complex_vec *z = transform(f, data, spare);
    for (int k = 0; k < m / 2; k += 16) {
        vec re[2][16], im[2][16];
        for (int i = 0; i < 16; i++) {
            complex_vec a = z[k + i], b = z[k + i ? m - k - i : 0];
            re[0][i] = a.re + b.re;
            im[0][i] = a.im - b.im;
            re[1][i] = a.im + b.im;
            im[1][i] = b.re - a.re;
        }
        for (int image_of = 0; image_of <= both; image_of++) {
            transpose(re[image_of]);
            transpose(im[image_of]);
            float *to =
                spectrum + ((size_t)(k / 16) * (size_t)columns + 32 * (size_t)block + 16 * (size_t)image_of) * 32;
            for (int i = 0; i < 16; i++, to += 32) {
                vstore(to, re[image_of][i]);
                vstore(to + 16, im[image_of][i]);
            }
        }
    }
}

static complex_vec *across_forward(const elbo_fft *f, const float *spectrum, int columns, int block,
                                   complex_vec *data) {
    memcpy(data, spectrum + (size_t)block * (size_t)columns * 32, (size_t)columns * sizeof *data);
    memset(data + columns, 0, (size_t)(f->n - columns) * sizeof *data);
    return transform(f, data, data + f->n);
}

/* Frequency 0 of the rows stands for itself, each other one for its negative too. */
static inline vec multiplicity(int block) {
    vec v = vset(2);
    if (block == 0) v[0] = 1;
    return v;
}

static double across(const elbo_fft *f, float *const field[2], const float *spectrum, const float *const kernel[3],
                     int columns, int block, float *scratch) {
    int m = f->n;
    complex_vec *data = (complex_vec *)scratch, *z = across_forward(f, spectrum, columns, block, data);
    complex_vec *work = z == data ? data + m : data, *spare = data + 2 * m;
    size_t at = (size_t)block * (size_t)m * 16;
    double energy = 0;
    for (int k = 0; k < m; k += 16) {
        vec e = zero();
        for (int i = k; i < k + 16; i++)
            e += (z[i].re * z[i].re + z[i].im * z[i].im) * vload(kernel[0] + at + 16 * (size_t)i);
        e *= multiplicity(block);
        energy += vsum(&e);
    }
    for (int c = 0; c < 2; c++) {
        // times i k, then back: with re and im exchanged the same transform goes the other way
        for (int i = 0; i < m; i++) {
            vec k = vload(kernel[1 + c] + at + 16 * (size_t)i);
            work[i] = (complex_vec){z[i].re * k, zero() - z[i].im * k};
        }
        const complex_vec *back = transform(f, work, spare);
        float *to = field[c] + (size_t)block * (size_t)columns * 32;
        for (int i = 0; i < columns; i++, to += 32) {
            vstore(to, back[i].im);
            vstore(to + 16, back[i].re);
        }
    }
    return energy;
}

static void kernel(const elbo_fft *f, float *out, const float *spectrum, int part, int columns, int block,
                   float *scratch) {
    const complex_vec *z = across_forward(f, spectrum, columns, block, (complex_vec *)scratch);
    out += (size_t)block * (size_t)f->n * 16;
    for (int i = 0; i < f->n; i++, out += 16) vstore(out, part ? z[i].im : z[i].re);
}

/* Both fields are real: X + i Y goes back in one transform. */
static void up(const elbo_fft *f, float *field, float *const spectrum[2], int rows, int columns, int block,
               float *scratch) {
    int m = f->n;
    complex_vec *data = (complex_vec *)scratch, *spare = data + m;
    for (int k = 0; k < m / 2; k += 16) {
        vec part[4][16]; // re and im of X, re and im of Y
        for (int c = 0; c < 2; c++) {
            const float *from = spectrum[c] + ((size_t)(k / 16) * (size_t)columns + 16 * (size_t)block) * 32;
            for (int i = 0; i < 16; i++, from += 32) {
                part[2 * c][i] = vload(from);
                part[2 * c + 1][i] = vload(from + 16);
            }
            transpose(part[2 * c]);
            transpose(part[2 * c + 1]);
        }
        for (int i = 0; i < 16; i++) { // re and im exchanged: back
            data[k + i] = (complex_vec){part[1][i] + part[2][i], part[0][i] - part[3][i]};
            if (k + i) data[m - k - i] = (complex_vec){part[2][i] - part[1][i], part[0][i] + part[3][i]};
        }
    }
    data[m / 2] = (complex_vec){zero(), zero()};
    const complex_vec *back = transform(f, data, spare);
    float *to = field + 32 * (size_t)block;
    for (int r = 0; r < rows; r++, to += 2 * columns) {
        vec im = back[r].im, re = back[r].re;
        vstore(to, __builtin_shufflevector(im, re, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
        vstore(to + 16, __builtin_shufflevector(im, re, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    }
}

static void transform_in_place(const elbo_fft *f, float *data, float *scratch) {
    complex_vec *z = transform(f, (complex_vec *)data, (complex_vec *)scratch);
    if ((float *)z != data) memcpy(data, z, (size_t)f->n * sizeof *z);
}

const elbo_tsne_grid_kernels JOIN(elbo_tsne_grid_kernels_,
                                  ELBO_ISA) = {scatter, gather, down, across, kernel, up, transform_in_place};
