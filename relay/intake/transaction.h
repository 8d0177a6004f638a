/* relay/intake/transaction.h - one mail transaction: envelope, content, and the commit that makes it a message.
 *
 * It belongs to its dialog until the commit is asked for or the dialog lets go of it; after that it ends by itself, when the store has
 * answered all that is under way. */
#ifndef INTAKE_TRANSACTION_H
#define INTAKE_TRANSACTION_H

#include "base/buf.h"
#include "relay/intake/content.h"
#include "relay/intake/intake.h"
#include "relay/sign/signing.h"
#include "relay/wire/command.h"

struct dialog;

/* A recipient; the text stands in transaction.strings. */
struct transaction_rcpt {
	uint64_t hash; /* of the whole address: finds duplicates */
	uint32_t text, order;
	uint32_t orcpt; /* RFC 3461 section 4.2 */
	uint16_t at, len;
	wall_ms next; /* not before: what the quota says */
	uint8_t notify; /* enum rcpt_notify */
};

struct transaction {
	struct intake *intake;
	struct dialog *dialog; /* who waits for the outcome; NULL: nobody any more */
	struct conf *conf;     /* a reference: settings and tenant of the whole transaction */
	const struct conf_tenant *tenant; /* NULL: may not relay; no recipient is accepted then */
	msg_id id;             /* 0 until the content begins */
	wall_ms arrived;
	wall_ms release;       /* not to be delivered before (RFC 4865); 0: at once */
	int8_t priority;       /* MT-PRIORITY (RFC 6710) that it may have */
	mono_ms began, ended;
	uint32_t flags;        /* enum message_flag */
	struct buf strings;    /* offsets, since it moves while it grows */
	uint32_t sender, client, login, envid, key;
	uint64_t fingerprint;  /* goes with the key */
	struct transaction_rcpt *rcpts;
	size_t rcpt_count, rcpt_cap;
	uint32_t *dropped;     /* suppressed recipients that were accepted and go nowhere: their texts */
	size_t dropped_count, dropped_cap;
	bool dropping;         /* the next recipient is one */
	struct content content;
	const char *hold;      /* why it is accepted, but kept back; static; NULL: it is not */
	struct signing *signing; /* NULL: nothing signs */
	bool complete;         /* all content is here */
	bool committing;       /* QUEUE_ACCEPT is under way */
	bool accepted;         /* it was, and the quota stays used */
	struct queue_accept accept;
	struct queue_blob blobs[CONTENT_BLOBS];
	struct queue_rcpt *rows;
};

/* Begin with what MAIL said. */
struct transaction *transaction_create(struct dialog *dialog, const struct command *mail) MUST_USE;

/* Add the recipient of a RCPT; one that is there already is not added again. ERR_LIMIT: a message may not have more; ERR_BUSY: the tenant's quota is used
 * up, until *opens_out. */
MUST_USE enum err transaction_add(struct transaction *tx, const struct command *rcpt, wall_ms *opens_out);

/* The content begins: id, time and our Received field. */
void transaction_begin_content(struct transaction *tx);

/* All content is here, without a fault: commit; the outcome goes to dialog_committed. */
void transaction_commit(struct transaction *tx);

/* One of its chunks has been answered (content.c). */
void transaction_on_stored(struct transaction *tx);

/* The dialog lets go of it, for whatever reason: what is stored already is discarded, unless the commit is under way. */
void transaction_drop(struct transaction **tx);

#endif
