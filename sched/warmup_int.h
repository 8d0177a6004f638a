/* sched/warmup_int.h - thresholds and helpers that the files of warm-up share; included by warmup*.c alone. */
#ifndef SCHED_WARMUP_INT_H
#define SCHED_WARMUP_INT_H

#define SAMPLES        100   /* attempts in a day until a share of them means something */
#define UNKNOWN_HOLD   0.04  /* of unknown recipients: hold; senders' platforms step back at 3 to 6 % */
#define COMPLAINT_HOLD 0.002 /* of complaints: mitigation ends at 0.3 % at the big providers */

/* The larger and the smaller of two, without the care for NaN that fmax takes. */
static inline double larger(double a, double b)
{
	return a > b ? a : b;
}
/* See larger. */
static inline double smaller(double a, double b)
{
	return a < b ? a : b;
}

/* The pace that the mail's curve wants at that time of the lane's day, of the even one. */
double warmup_pace_of(const struct warmup *w, const struct warmup_plan *plan, wall_ms local);

#endif
