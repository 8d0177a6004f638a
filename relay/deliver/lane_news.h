/* relay/deliver/lane_news.h - what the class of a refusal is for a cold lane: one of five things that its warm-up goes by. */
#ifndef DELIVER_LANE_NEWS_H
#define DELIVER_LANE_NEWS_H

#include <stdbool.h>

/* As struct sched_result counts them. */
enum lane_news { NEWS_DEFERRED, NEWS_THROTTLED, NEWS_BLOCKED, NEWS_UNKNOWN, NEWS_REFUSED, LANE_NEWS };

/* `class_name` as in conf/meaning.h, NULL: nothing is known of it; `hard`: a 5xx. Pure. */
enum lane_news lane_news_of(const char *class_name, bool hard);

#endif
