/* Runs tasks on several threads. Threads are started for a call and joined before it returns: there is no pool that
 * could clash with torch's OpenMP runtime or be lost in a forked DataLoader worker. */
#ifndef REP_FLOW_TASKS_H
#define REP_FLOW_TASKS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MAX_THREADS 256
#define SCRATCH_ALIGNMENT 64

/* Below this many pixel-iterations per thread, starting a thread costs more than it saves. */
#define MIN_WORK_PER_THREAD 100000.0

typedef struct {
    void (*run)(void *context, void *scratch, ptrdiff_t task);
    void *context;
    ptrdiff_t count, next;
    size_t scratch_bytes;
    int failed;
} task_list;

static void *run_worker(void *argument) {
    task_list *tasks = argument;
    /* calloc and an offset rather than aligned_alloc: large blocks come zeroed from the system for nothing. */
    char *block = calloc(1, tasks->scratch_bytes + SCRATCH_ALIGNMENT);
    if (!block) {
        __atomic_store_n(&tasks->failed, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    void *scratch = block + (SCRATCH_ALIGNMENT - (uintptr_t)block % SCRATCH_ALIGNMENT);
    ptrdiff_t task;
    while ((task = __atomic_fetch_add(&tasks->next, 1, __ATOMIC_RELAXED)) < tasks->count) {
        tasks->run(tasks->context, scratch, task);
    }
    free(block);
    return NULL;
}

/* Run all tasks, `work` pixel-iterations in total. Returns 0, or 1 where memory ran out. */
static int run_tasks(task_list *tasks, int64_t num_threads, double work) {
    pthread_t threads[MAX_THREADS];
    int64_t wanted = num_threads < MAX_THREADS ? num_threads : MAX_THREADS;
    if (wanted > tasks->count) wanted = tasks->count;
    if (wanted > work / MIN_WORK_PER_THREAD) wanted = (int64_t)(work / MIN_WORK_PER_THREAD);
    int64_t started = 0;
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, run_worker, tasks) == 0) started++;
    run_worker(tasks);
    for (int64_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return tasks->failed;
}

#endif
