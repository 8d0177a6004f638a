/* relay/intake/heading.c - the header section of a transaction's message, once it is complete. */
#include "relay/intake/heading.h"

#include "base/log.h"
#include "relay/intake/header.h"
#include "relay/intake/transaction.h"

#define ALL_MAX (CONTENT_BLOBS * QUEUE_CHUNK) /* what the blocks can hold, with room for what is put in */

/* All content so far; most is in one block and stays there, else it is copied to `copy`. */
static struct queue_blob gather(const struct content *content, struct buf *copy)
{
	const struct block *last = content->current;

	if (content->held_count == 0)
		return last != NULL ? (struct queue_blob){ last->data, last->len } : (struct queue_blob){ "", 0 };
	for (size_t i = 0; i < content->held_count; i++)
		must(buf_add(copy, content->held[i]->data, content->held[i]->len) == OK);
	must(buf_add(copy, last->data, last->len) == OK);
	return (struct queue_blob){ copy->data, copy->len };
}

static void log_rewritten(const struct transaction *tx)
{
	struct log_line line;
	char id[MSG_ID_TEXT];

	log_begin(&line, LOG_INFO, "rewritten");
	log_str(&line, "id", msg_id_format(tx->id, id));
	log_str(&line, "tenant", tx->tenant->name);
	log_str(&line, "sender", tx->strings.data + tx->sender);
	log_str(&line, "from", tx->tenant->others_address);
	log_end(&line);
}

/* Date and Message-ID stand behind our Received field, where no malformed line can make them part of the body. */
static void add_missing(struct transaction *tx, const struct header_verdict *verdict)
{
	struct buf *own = &tx->content.own;
	size_t before = own->len;
	char id[MSG_ID_TEXT];

	must(header_add(verdict, tx->arrived, msg_id_format(tx->id, id), tx->conf->hostname, own) == OK);
	signing_feed(tx->signing, own->data + before, own->len - before);
}

/* The content so far, with another header section. */
static void replace(struct transaction *tx, const struct queue_blob *all, size_t header, const struct header_rules *rules)
{
	struct buf out;

	buf_init(&out, ALL_MAX);
	/* Many short fields may have become long ones. */
	if (header_write(all->data, header, rules, &out) != OK ||
	    buf_add(&out, (const char *)all->data + header, all->len - header) != OK) {
		content_fail(tx, CONTENT_HEADER_TOO_LARGE);
	} else {
		content_replace(tx, out.data, out.len);
		signing_feed(tx->signing, out.data, out.len);
	}
	buf_fini(&out);
}

void heading_close(struct transaction *tx)
{
	struct content *content = &tx->content;
	struct header_rules rules = { &tx->conf->hygiene, tx->tenant, (tx->flags & MSG_SMTPUTF8) != 0 };
	struct header_verdict verdict;
	struct queue_blob all;
	struct buf copy;

	buf_init(&copy, ALL_MAX);
	all = gather(content, &copy);
	header_judge(all.data, (size_t)content->scan.header_bytes, &rules, &verdict);
	content->heading_closed = true;
	if (verdict.refusal != NULL) {
		content_fail(tx, verdict.refusal);
	} else {
		if (verdict.hold != NULL)
			tx->hold = verdict.hold;
		/* RFC 8689 section 5: beside REQUIRETLS the field does not count. */
		if (verdict.tls_optional && !(tx->flags & MSG_REQUIRETLS))
			tx->flags |= MSG_TLS_OPTIONAL;
		if (verdict.rewritten)
			log_rewritten(tx);
		if (verdict.is_signed)
			tx->flags |= MSG_SIGNED;
		add_missing(tx, &verdict);
		if (verdict.changed)
			replace(tx, &all, (size_t)content->scan.header_bytes, &rules);
		else
			signing_feed(tx->signing, all.data, all.len);
	}
	buf_fini(&copy);
}
