/* Shared by every template: padded rows, field order, macros. All sizes count elements, not bytes. */
#ifndef REP_FLOW_LAYOUT_H
#define REP_FLOW_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define EPSILON 1e-12

/* Bytes of a vector register. Sums have as many lanes: with more of them than a register holds, compilers keep the
 * loops of the backward pass in memory, which takes up to three times as long. */
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

/* Elements by which rows are padded, at least: the median looks two to each side. */
#define MIN_PADDING 4

/* How many iterations sweep over a plane together, each some rows behind the one before: so many rows stay in the
 * second-level cache, and a plane that does not fit there is read once per sweep instead of once per iteration.
 * A lag of one row would do, but then every row waits for the square roots and divisions of the one just begun. */
#define SWEEP_DEPTH 8
#define SWEEP_LAG 2
#define ADJOINT_LAG 3

#define JOIN_(name, suffix) name##_##suffix
#define JOIN(name, suffix) JOIN_(name, suffix)

#define INLINE static inline __attribute__((always_inline))
#define SIMD _Pragma("omp simd")

/* Fields of a row of the solver's state. u comes last: reading u[j + 1] past its end meets the row's zeros. */
enum { P_XX, P_XY, P_YX, P_YY, U_X, U_Y, STATE_FIELDS };

/* Fields of a row that stay the same over the iterations. NEG_INV_NORM is -1 / |grad F2|^2 and NEG_INV_NORM_LOW what
 * its rounding lost: without it the step would be off by the same amount in every iteration, and errors add up. */
enum { GRAD_X, GRAD_Y, NEG_INV_NORM, NEG_INV_NORM_LOW, RHO_C, CONST_FIELDS };

/* Fields of a row of the backward pass: gradients with respect to the field they are named after, and
 * D_AX_*, D_AY_*: those of the two flow gradients, D_STEP: summed over iterations, STEP_D_STEP: summed step * d_step,
 * D_TOTAL_*: that of u after the iteration's own contribution (last, for the same reason as u above). */
enum {
    D_P_XX, D_P_XY, D_P_YX, D_P_YY, D_U_X, D_U_Y, D_AX_X, D_AX_Y, D_AY_X, D_AY_Y, D_GRAD_X, D_GRAD_Y, D_STEP, STEP_D_STEP,
    D_TOTAL_X, D_TOTAL_Y, ADJOINT_FIELDS
};

/* Sums over pixels and iterations: gradients of tau / theta, of theta in theta * div(p), of lam * theta, of the taps
 * (those of the divergence still without their factor theta). Lanes are added up in double precision every
 * MAX_PENDING vectors, so that the rounding error does not grow with the plane. */
enum {
    SUM_RATE, SUM_THETA, SUM_LIMIT, SUM_FLOW_X0, SUM_FLOW_X1, SUM_FLOW_Y0, SUM_FLOW_Y1,
    SUM_DIV_X0, SUM_DIV_X1, SUM_DIV_Y0, SUM_DIV_Y1, SUMS
};
#define MAX_PENDING 128

/* What a backward task leaves to be added up over tasks: the gradients of the scalars and of the taps. */
enum {
    PART_THETA, PART_LAM, PART_TAU, PART_IMAGE, PART_FLOW = PART_IMAGE + 18, PART_DIV = PART_FLOW + 4,
    PARTS = PART_DIV + 4
};

/* Where the rows of a plane lie in memory. `length` is the width rounded up to whole vectors; between two fields of
 * a row at least one element is always zero, so that [j - 1] and [j + 1] need no branch at the borders. */
typedef struct {
    ptrdiff_t height, width, length, stride, lanes;
} layout;

static inline layout make_layout(ptrdiff_t height, ptrdiff_t width, ptrdiff_t lanes) {
    if (lanes < MIN_PADDING) lanes = MIN_PADDING;
    ptrdiff_t length = (width + lanes - 1) / lanes * lanes;
    layout plane = {height, width, length, length > width ? length : length + lanes, lanes};
    return plane;
}

/* A row of `fields` fields, and one vector of zeros behind it. */
static inline ptrdiff_t row_size(const layout *plane, ptrdiff_t fields) {
    return fields * plane->stride + plane->lanes;
}

/* A plane of rows, with a row of zeros above and one below. */
static inline ptrdiff_t plane_size(const layout *plane, ptrdiff_t fields) {
    return (plane->height + 2) * row_size(plane, fields);
}

#endif
