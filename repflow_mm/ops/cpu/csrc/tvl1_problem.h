/* The interface of TV-L1 to Python: one struct of sizes, numbers and addresses. Its twin is `_Level` in
 * ../tvl1.py. */
#ifndef REP_FLOW_TVL1_PROBLEM_H
#define REP_FLOW_TVL1_PROBLEM_H

#include <stdint.h>

typedef struct {
    int64_t batch, height, width, num_warps, inner_iters, outer_iters, median_filter, num_threads;
    double tau, lam, theta, epsilon;
    const void *images; /* (N, 2, H, W): the first and the second image of each pair */
    void *u;            /* (N, 2, H, W): where to start, then the result */
} tvl1_level;

#endif
