/* relay/deliver/lane_news.c - see lane_news.h. */
#include "relay/deliver/lane_news.h"

#include <string.h>

#include "base/err.h"
#include "conf/meaning.h"

static const struct {
	enum replies_class class;
	enum lane_news soft, hard; /* of 4xx, and of 5xx */
} news[] = {
	{ CLASS_THROTTLE,         NEWS_THROTTLED, NEWS_THROTTLED },
	{ CLASS_REPUTATION_BLOCK, NEWS_THROTTLED, NEWS_BLOCKED },
	{ CLASS_AUTH_POLICY,      NEWS_DEFERRED,  NEWS_BLOCKED },
	{ CLASS_BAD_MAILBOX,      NEWS_UNKNOWN,   NEWS_UNKNOWN },
	{ CLASS_MAILBOX_INACTIVE, NEWS_DEFERRED,  NEWS_UNKNOWN },
};

enum lane_news lane_news_of(const char *class_name, bool hard)
{
	for (size_t i = 0; i < ARRAY_LEN(news) && class_name != NULL; i++)
		if (strcmp(replies_class_name(news[i].class), class_name) == 0)
			return hard ? news[i].hard : news[i].soft;
	return hard ? NEWS_REFUSED : NEWS_DEFERRED;
}
