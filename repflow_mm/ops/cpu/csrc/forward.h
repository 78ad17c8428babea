/* Template (REAL, SUFFIX): the forward pass, one task per (clip, channel, pair). */

typedef struct {
    const rep_flow_problem *problem;
    layout plane;
} NAME(forward_context);

/* A zeroed buffer for a plane of `fields` fields out of `*scratch`; returns the address of its row 0. */
static REAL *NAME(take_plane)(REAL **scratch, const layout *plane, ptrdiff_t fields) {
    REAL *row_0 = *scratch + plane->lanes + row_size(plane, fields);
    *scratch += plane->lanes + plane_size(plane, fields);
    return row_0;
}

static void NAME(take_terms)(REAL **scratch, const layout *plane, NAME(terms) *terms) {
    for (int tap = 0; tap < 2; tap++) {
        terms->flow_row[tap] = *scratch + 2 * tap * plane->length;
        terms->div_row[tap] = *scratch + (2 * tap + 1) * plane->length;
    }
    *scratch += 4 * plane->length;
}

static ptrdiff_t NAME(forward_scratch)(const layout *plane) {
    return 4 * plane->length + 3 * plane->lanes + plane_size(plane, STATE_FIELDS) + plane_size(plane, CONST_FIELDS) +
           plane_size(plane, 1);
}

static void NAME(store_field)(const layout *plane, const REAL *states, int field, REAL *to) {
    for (ptrdiff_t i = 0; i < plane->height; i++) {
        const REAL *row = states + i * row_size(plane, STATE_FIELDS) + field * plane->stride;
        memcpy(to + i * plane->width, row, plane->width * sizeof(REAL));
    }
}

static void NAME(forward_task)(void *argument, void *scratch, ptrdiff_t task) {
    const NAME(forward_context) *context = argument;
    const rep_flow_problem *problem = context->problem;
    const layout *plane = &context->plane;
    const ptrdiff_t channels = problem->channels, pairs = problem->frames - 1, area = plane->height * plane->width;
    const ptrdiff_t pair = task % pairs, channel = task / pairs % channels, clip = task / pairs / channels;
    const int64_t *strides = problem->x_strides;
    const REAL *first = (const REAL *)problem->x + clip * strides[0] + channel * strides[1] + pair * strides[2];
    REAL *free_scratch = scratch;
    NAME(terms) terms;
    NAME(take_terms)(&free_scratch, plane, &terms);
    REAL *state = NAME(take_plane)(&free_scratch, plane, STATE_FIELDS);
    REAL *fixed = NAME(take_plane)(&free_scratch, plane, CONST_FIELDS);
    REAL *second_padded = NAME(take_plane)(&free_scratch, plane, 1);
    NAME(set_terms)(&terms, plane, problem, channel);
    NAME(set_fixed)(plane, &terms, first, first + strides[2], second_padded, fixed);
    memset(state, 0, plane->height * row_size(plane, STATE_FIELDS) * sizeof(REAL));
    NAME(iterate)(plane, &terms, state, 0, fixed, 0, problem->num_iters);
    REAL *u_x = (REAL *)problem->u + ((clip * 2 * channels + channel) * pairs + pair) * area;
    NAME(store_field)(plane, state, U_X, u_x);
    NAME(store_field)(plane, state, U_Y, u_x + channels * pairs * area);
}

int NAME(rep_flow_forward)(const rep_flow_problem *problem) {
    NAME(forward_context) context = {problem, make_layout(problem->height, problem->width, LANES)};
    const layout *plane = &context.plane;
    const ptrdiff_t count = problem->batch * problem->channels * (problem->frames - 1);
    task_list tasks = {
        .run = NAME(forward_task), .context = &context, .count = count,
        .scratch_bytes = NAME(forward_scratch)(plane) * sizeof(REAL)
    };
    const double work = (double)count * plane->height * plane->width * (problem->num_iters + 1);
    return run_tasks(&tasks, problem->num_threads, work);
}
