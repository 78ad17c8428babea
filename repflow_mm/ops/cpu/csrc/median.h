/* Template (REAL, SUFFIX): the median of the 3x3 or 5x5 neighbourhood of every element of a field, borders repeated.
 * Everything is minima and maxima of whole vectors, so that no element is sorted on its own. */

#ifndef SORT
#define MAX_MEDIAN 5
#define SORT(a, b) { const REAL low = a < b ? a : b; b = a < b ? b : a; a = low; }
#endif

INLINE void NAME(sort_3)(REAL *v) {
    SORT(v[0], v[1]) SORT(v[1], v[2]) SORT(v[0], v[1])
}

INLINE void NAME(sort_5)(REAL *v) {
    SORT(v[0], v[1]) SORT(v[3], v[4]) SORT(v[2], v[4]) SORT(v[2], v[3]) SORT(v[1], v[4])
    SORT(v[0], v[3]) SORT(v[0], v[2]) SORT(v[1], v[3]) SORT(v[1], v[2])
}

/* Of eight values the smallest and the largest cannot be the median of 13; without them and with one value more the
 * same holds again, until one is left. */
INLINE REAL NAME(median_13)(REAL *v) {
    SORT(v[0], v[4]) SORT(v[1], v[5]) SORT(v[2], v[6]) SORT(v[3], v[7])
    SORT(v[0], v[1]) SORT(v[0], v[2]) SORT(v[0], v[3]) SORT(v[4], v[7]) SORT(v[5], v[7]) SORT(v[6], v[7])
    SORT(v[1], v[5]) SORT(v[2], v[6]) SORT(v[3], v[8])
    SORT(v[1], v[2]) SORT(v[1], v[3]) SORT(v[1], v[4]) SORT(v[4], v[8]) SORT(v[5], v[8]) SORT(v[6], v[8])
    SORT(v[2], v[5]) SORT(v[3], v[6]) SORT(v[4], v[9])
    SORT(v[2], v[3]) SORT(v[2], v[4]) SORT(v[5], v[9]) SORT(v[6], v[9])
    SORT(v[3], v[6]) SORT(v[4], v[10]) SORT(v[3], v[4]) SORT(v[3], v[5]) SORT(v[5], v[10]) SORT(v[6], v[10])
    SORT(v[4], v[6]) SORT(v[5], v[11]) SORT(v[4], v[5]) SORT(v[6], v[11])
    SORT(v[5], v[12]) SORT(v[5], v[6]) SORT(v[6], v[12])
    return v[6];
}

/* The values of a column of `rows`, sorted, into the same column of `columns`. The arrays below are in functions of
 * their own: declared inside a loop marked SIMD they would stay in memory, and the loop would not be vectorised. */
INLINE void NAME(sort_column_3)(const REAL *rows, ptrdiff_t row, REAL *columns) {
    REAL v[3] = {rows[0], rows[row], rows[2 * row]};
    NAME(sort_3)(v);
    columns[0] = v[0], columns[row] = v[1], columns[2 * row] = v[2];
}

INLINE void NAME(sort_column_5)(const REAL *rows, ptrdiff_t row, REAL *columns) {
    REAL v[5] = {rows[0], rows[row], rows[2 * row], rows[3 * row], rows[4 * row]};
    NAME(sort_5)(v);
    columns[0] = v[0], columns[row] = v[1], columns[2 * row] = v[2];
    columns[3 * row] = v[3], columns[4 * row] = v[4];
}

/* The median of nine is that of the largest minimum, the middle middle and the smallest maximum of the columns. */
INLINE REAL NAME(median_9)(const REAL *c, ptrdiff_t row) {
    REAL low[3] = {c[0], c[1], c[2]}, middle[3] = {c[row], c[row + 1], c[row + 2]};
    REAL high[3] = {c[2 * row], c[2 * row + 1], c[2 * row + 2]};
    NAME(sort_3)(low);
    NAME(sort_3)(middle);
    NAME(sort_3)(high);
    REAL v[3] = {low[2], middle[1], high[0]};
    NAME(sort_3)(v);
    return v[1];
}

/* With columns and rows sorted, element (r, k) has at least (r + 1)(k + 1) - 1 others below it and (5 - r)(5 - k) - 1
 * above: 6 elements are too small to be the median, 6 too large, and of the 13 others it is the median. */
INLINE REAL NAME(median_25)(const REAL *c0, ptrdiff_t row) {
    const REAL *c1 = c0 + row, *c2 = c1 + row, *c3 = c2 + row, *c4 = c3 + row;
    REAL r0[5] = {c0[0], c0[1], c0[2], c0[3], c0[4]}, r1[5] = {c1[0], c1[1], c1[2], c1[3], c1[4]};
    REAL r2[5] = {c2[0], c2[1], c2[2], c2[3], c2[4]}, r3[5] = {c3[0], c3[1], c3[2], c3[3], c3[4]};
    REAL r4[5] = {c4[0], c4[1], c4[2], c4[3], c4[4]};
    NAME(sort_5)(r0);
    NAME(sort_5)(r1);
    NAME(sort_5)(r2);
    NAME(sort_5)(r3);
    NAME(sort_5)(r4);
    REAL v[13] = {r0[3], r0[4], r1[2], r1[3], r1[4], r2[1], r2[2], r2[3], r3[0], r3[1], r3[2], r4[0], r4[1]};
    return NAME(median_13)(v);
}

static ptrdiff_t NAME(median_row_size)(const layout *plane) {
    return plane->length + plane->lanes;
}

static ptrdiff_t NAME(median_scratch_size)(const layout *plane) {
    return (plane->height + MAX_MEDIAN - 1 + MAX_MEDIAN) * NAME(median_row_size)(plane);
}

/* Filter one field of the state in place, `size` 3 or 5. */
static void NAME(median_filter)(const layout *plane, REAL *state, int field, ptrdiff_t size, REAL *scratch) {
    const ptrdiff_t height = plane->height, width = plane->width, margin = size / 2;
    const ptrdiff_t row = NAME(median_row_size)(plane), state_row = row_size(plane, STATE_FIELDS);
    REAL *values = state + field * plane->stride, *columns = scratch + (height + size - 1) * row;
    for (ptrdiff_t i = 0; i < height + size - 1; i++) {
        const ptrdiff_t inside = i < margin ? 0 : i - margin >= height ? height - 1 : i - margin;
        REAL *to = scratch + i * row;
        memcpy(to + margin, values + inside * state_row, width * sizeof(REAL));
        for (ptrdiff_t j = 0; j < margin; j++) to[j] = to[margin], to[margin + width + j] = to[margin + width - 1];
    }
    for (ptrdiff_t i = 0; i < height; i++) {
        REAL *to = values + i * state_row;
        const REAL *rows = scratch + i * row;
        if (size == 3) {
            SIMD for (ptrdiff_t j = 0; j < row; j++) NAME(sort_column_3)(rows + j, row, columns + j);
            SIMD for (ptrdiff_t j = 0; j < plane->length; j++) to[j] = NAME(median_9)(columns + j, row);
        } else {
            SIMD for (ptrdiff_t j = 0; j < row; j++) NAME(sort_column_5)(rows + j, row, columns + j);
            SIMD for (ptrdiff_t j = 0; j < plane->length; j++) to[j] = NAME(median_25)(columns + j, row);
        }
        memset(to + width, 0, (plane->length - width) * sizeof(REAL));
    }
}
