/* The interface of Brox flow to Python: one struct of sizes, numbers and addresses. Its twin is `_Level` in
 * ../brox.py. */
#ifndef REP_FLOW_BROX_PROBLEM_H
#define REP_FLOW_BROX_PROBLEM_H

#include <stdint.h>

typedef struct {
    int64_t batch, height, width, inner_iterations, solver_iterations, num_threads;
    double alpha, gamma, epsilon, relaxation;
    const void *images; /* (N, 2, H, W): the first and the second image of each pair, in [0, 1] */
    void *u;            /* (N, 2, H, W): where to start, then the result */
} brox_level;

#endif
