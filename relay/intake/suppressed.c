/* relay/intake/suppressed.c - recipients that nothing is taken for (queue/suppress.h): what RCPT hears. */
#include "relay/intake/suppressed.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "queue/suppress.h"
#include "relay/intake/sessions.h"

/* Text of somebody else's in a reply of ours: printable ASCII alone (RFC 5321 section 4.2). */
static void clean(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

static void refusal(const struct suppress_found *found, char reply[SUPPRESSED_REPLY])
{
	char since[CLOCK_TEXT], reason[SUPPRESS_REASON_MAX + 1];

	(void)snprintf(reason, sizeof(reason), "%s", found->reason);
	clean(reason);
	(void)snprintf(reply, SUPPRESSED_REPLY, "550 5.1.1 this address is suppressed since %.10s (by %s)%s%s", clock_rfc3339(found->since, since),
	    suppress_origin_name(found->origin), reason[0] ? ": " : "", reason);
}

enum conf_answer suppressed_answer(const struct dialog *d, const struct address *rcpt, char reply[SUPPRESSED_REPLY])
{
	const struct conf_tenant *tenant = d->tx->tenant;
	struct queue_reader *reader = d->intake->env->reader;
	struct suppress_found found;
	struct err_detail why;
	enum err e;

	if (!reader)
		return ANSWER_UNSET;
	e = queue_suppress_find(reader, tenant->name, rcpt->text, clock_wall(), &found, &why);
	if (e != OK) {
		if (e != ERR_NOT_FOUND)
			log_text(LOG_ERROR, "suppression-failed", "%s", why.text);
		return ANSWER_UNSET;
	}
	refusal(&found, reply);
	return tenant->suppression_answer != ANSWER_UNSET ? tenant->suppression_answer : d->tx->conf->suppression.answer;
}

void suppressed_log_drop(const struct transaction *tx, const char *rcpt)
{
	struct log_line line;
	char id[MSG_ID_TEXT];

	atomic_fetch_add_explicit(&tx->intake->env->figures.suppressed_rcpts, 1, memory_order_relaxed);
	log_begin(&line, LOG_INFO, "suppressed");
	log_str(&line, "id", msg_id_format(tx->id, id));
	log_str(&line, "tenant", tx->tenant->name);
	log_str(&line, "sender", tx->strings.data + tx->sender);
	log_str(&line, "rcpt", rcpt);
	log_end(&line);
}
