/* relay/intake/content.c - the content of a message on its way into chunks of the store. */
#include "relay/intake/content.h"

#include <string.h>

#include "relay/intake/dialog.h"
#include "relay/intake/heading.h"
#include "relay/intake/rights.h"
#include "relay/intake/sessions.h"
#include "relay/intake/transaction.h"

/* A chunk is stored, or is not. */
static void on_stored(struct queue_req *req)
{
	struct block *block = CONTAINER_OF(req, struct block, put.req);
	struct transaction *tx = block->owner;
	enum err result = req->result;

	tx->content.in_flight--;
	chunk_pool_give(&tx->intake->pool, block);
	if (result != OK)
		content_fail(tx, dialog_trouble_reply(result));
	transaction_on_stored(tx);
}

static void store(struct transaction *tx, struct block *block)
{
	struct content *content = &tx->content;

	block->owner = tx;
	block->put = (struct queue_chunk){
		.req = { .kind = QUEUE_CHUNK_PUT, .reply_to = loop_mailbox(tx->intake->env->loop), .done = on_stored },
		.id = tx->id,
		.n = ++content->streamed,
		.blob = { block->data, block->len },
	};
	content->in_flight++;
	queue_submit(tx->intake->env->queue, &block->put.req);
}

/* `current` is full: hold it for the commit, or begin to store. */
static void put_current_away(struct transaction *tx)
{
	struct content *content = &tx->content;

	if (content->heading_closed &&
	    (content->held_count == CONTENT_HELD || chunk_pool_is_full(&tx->intake->pool, tx->conf->limits.memory_bytes)))
		content->streaming = true;
	if (content->streaming) {
		for (size_t i = 0; i < content->held_count; i++)
			store(tx, content->held[i]);
		content->held_count = 0;
		store(tx, content->current);
	} else {
		content->held[content->held_count++] = content->current;
	}
	content->current = NULL;
}

/* Memory is short: who has something under way waits for that. Who has nothing under way owns nothing else either and gets one more
 * block, so that nobody waits for ever; new transactions are turned away meanwhile. */
static bool must_wait(const struct transaction *tx)
{
	const struct content *content = &tx->content;

	return content->in_flight >= CONTENT_IN_FLIGHT ||
	    (content->in_flight > 0 && chunk_pool_is_full(&tx->intake->pool, tx->conf->limits.memory_bytes));
}

char *content_room(struct transaction *tx, size_t *room_out)
{
	struct content *content = &tx->content;

	if (!content->heading_closed && content->held_count > 0 && chunk_pool_is_full(&tx->intake->pool, tx->conf->limits.memory_bytes))
		content_fail(tx, CONTENT_NO_MEMORY); /* it cannot wait for itself */
	if (content->fault != NULL && content->current != NULL)
		content->current->len = 0;
	if (content->current != NULL && content->current->len == QUEUE_CHUNK)
		put_current_away(tx);
	if (content->current == NULL) {
		if (must_wait(tx))
			return NULL;
		content->current = chunk_pool_take(&tx->intake->pool);
	}
	*room_out = QUEUE_CHUNK - content->current->len;
	return content->current->data + content->current->len;
}

/* `len` more bytes of the header section, and maybe of what follows it. */
static void extend_heading(struct transaction *tx, const char *data, size_t len)
{
	struct content *content = &tx->content;

	header_scan_feed(&content->scan, data, len);
	if (content->scan.header_bytes > tx->conf->limits.header_bytes)
		content_fail(tx, CONTENT_HEADER_TOO_LARGE);
	else if (content->scan.received >= tx->conf->limits.hops)
		content_fail(tx, "554 5.4.6 too many Received fields: the message is looping");
	else if (content->scan.in_body)
		heading_close(tx);
}

void content_added(struct transaction *tx, size_t len)
{
	struct content *content = &tx->content;
	const char *data;

	if (content->fault != NULL || len == 0)
		return;
	data = content->current->data + content->current->len;
	content->current->len += len;
	content->size += len;
	if (content->size > rights_message_bytes(tx->conf, tx->tenant))
		content_fail(tx, "552 5.3.4 message is larger than the limit");
	else if (content->heading_closed)
		signing_feed(tx->signing, data, len);
	else
		extend_heading(tx, data, len);
}

void content_close(struct transaction *tx)
{
	if (tx->content.fault == NULL && !tx->content.heading_closed)
		heading_close(tx);
}

void content_replace(struct transaction *tx, const char *data, size_t len)
{
	struct content *content = &tx->content;

	must(content->streamed == 0);
	content_release(tx);
	content->size = len;
	for (size_t n; len > 0; data += n, len -= n) {
		if (content->current != NULL && content->current->len == QUEUE_CHUNK)
			put_current_away(tx);
		if (content->current == NULL)
			content->current = chunk_pool_take(&tx->intake->pool);
		n = QUEUE_CHUNK - content->current->len;
		n = n < len ? n : len;
		memcpy(content->current->data + content->current->len, data, n);
		content->current->len += n;
	}
}

void content_init(struct transaction *tx)
{
	struct content *content = &tx->content;

	dot_reader_init(&content->reader, tx->conf->limits.text_line, true);
	header_scan_init(&content->scan);
	buf_init(&content->own, QUEUE_CHUNK);
}

void content_fini(struct transaction *tx)
{
	content_release(tx);
	buf_fini(&tx->content.own);
}

void content_note_fault(struct transaction *tx)
{
	/* RFC 5321 section 2.3.8: CR and LF only together. Whoever let others through would invite message smuggling. */
	static const char *const replies[] = {
		[DOT_CLEAN] = NULL,
		[DOT_BARE_LF] = "550 5.6.0 bare LF in message content; lines must end in CRLF",
		[DOT_BARE_CR] = "550 5.6.0 bare CR in message content; lines must end in CRLF",
		[DOT_LONG_LINE] = "550 5.6.0 line too long in message content",
		[DOT_NUL] = "550 5.6.0 NUL in message content",
	};

	if (tx->content.reader.fault != DOT_CLEAN)
		content_fail(tx, replies[tx->content.reader.fault]);
}

void content_fail(struct transaction *tx, const char *reply)
{
	if (tx->content.fault != NULL)
		return;
	tx->content.fault = reply;
	content_release(tx);
}

/* Everything in one chunk: our fields right before the content. False: it does not fit. */
static bool join(const struct content *content, struct queue_blob *blob)
{
	const struct buf *own = &content->own;
	struct block *block = content->current;

	if (content->streamed > 0 || content->held_count > 0 || block == NULL || own->len > BLOCK_FRONT ||
	    own->len + block->len > QUEUE_CHUNK)
		return false;
	memcpy(block->front + BLOCK_FRONT - own->len, own->data, own->len);
	*blob = (struct queue_blob){ block->front + BLOCK_FRONT - own->len, own->len + block->len };
	return true;
}

/* What waits in memory behind our fields; returns how many. */
static size_t blobs_behind(const struct content *content, struct queue_blob *blobs)
{
	size_t n;

	for (n = 0; n < content->held_count; n++)
		blobs[n] = (struct queue_blob){ content->held[n]->data, content->held[n]->len };
	if (content->current != NULL && content->current->len > 0)
		blobs[n++] = (struct queue_blob){ content->current->data, content->current->len };
	return n;
}

void content_rest(struct transaction *tx, struct queue_blob *blobs, struct queue_accept *accept)
{
	struct content *content = &tx->content;
	struct queue_blob own = { content->own.data, content->own.len };

	accept->blobs = blobs;
	if (join(content, &blobs[0])) {
		accept->blob_count = 1;
	} else if (content->streamed == 0) {
		blobs[0] = own;
		accept->blob_count = 1 + blobs_behind(content, blobs + 1);
	} else {
		accept->head = own;
		accept->first_blob = 1 + content->streamed;
		accept->blob_count = blobs_behind(content, blobs);
	}
	accept->message.chunks = accept->first_blob + (uint32_t)accept->blob_count;
	accept->message.size_bytes = content->size + own.len;
}

void content_release(struct transaction *tx)
{
	struct content *content = &tx->content;

	for (size_t i = 0; i < content->held_count; i++)
		chunk_pool_give(&tx->intake->pool, content->held[i]);
	content->held_count = 0;
	if (content->current != NULL)
		chunk_pool_give(&tx->intake->pool, content->current);
	content->current = NULL;
}
