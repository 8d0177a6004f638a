/* relay/ops/coldlanes.h - the verb warmup: what its parts share. For the files coldlanes.c, coldpast.c, coldahead.c and coldswap.c. */
#ifndef OPS_COLDLANES_H
#define OPS_COLDLANES_H

#include "relay/ops/task.h"
#include "sched/sched.h"

struct ahead;

struct warm_task {
	struct storing storing; /* of retire, and of its end by another change */
	bool begun;
	int32_t day, last;    /* history: the next day to read, the last one */
	struct ahead *ahead;  /* forecast; NULL: not begun */
};

/* A stored row of the past; false: it is not one, or of a later version. */
bool coldpast_row(const char *name, const void *data, size_t len, struct sched_warm_day *out);

/* The next slice of a history; of a forecast. */
enum task_state coldpast_step(struct warm_task *task);
enum task_state coldahead_step(struct warm_task *task);
/* Rows of sources that retire or have retired. retire: SOURCE, with arguments days and into. */
void coldswap_status(struct task *task);
enum task_state coldswap_retire(struct warm_task *task, const char *const *words, size_t count);
/* A retirement of the source ends before its time, to be awaited (task->storing); false: it has none. */
bool coldswap_end(struct warm_task *task, const char *source);
/* Sets the pointer to NULL; NULL inside is accepted. */
void coldahead_free(struct ahead **ahead);

#endif
