/* relay/ops/reissue.c - a message out of dead letters: the same content under a new id, signed anew, and back into the queue. */
#include "relay/ops/reissue.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/buf.h"
#include "base/log.h"
#include "relay/notify/bounce.h"
#include "relay/sign/signing.h"

#define OPENING_MAX 1000 /* bytes of content that chunk 0 holds below the signatures at least: a body never begins with an empty chunk */
#define SIGNATURE   "DKIM-Signature:"

struct reissue {
	struct ops_env env; /* a copy: who asked may be gone */
	struct conf *conf; /* a reference: the keys are its */
	struct queue_message message; /* the new one */
	msg_id old;
	uint32_t chunks, chunk; /* of the old one: how many, and the next to read */
	char *source, *texts[6]; /* owned; source may be NULL */
	struct queue_rcpt *rcpts;
	uint32_t *ns;
	size_t count;
	struct signing *signing;
	struct buf signatures; /* ours of the old message */
	struct buf head;       /* chunk 0 */
	char *input, *piece;   /* a chunk each: what was read, what will be written */
	size_t input_len, input_at, piece_len;
	uint32_t streamed;     /* chunks 1.. that are stored */
	struct queue_chunk put;
	struct queue_blob blobs[2];
	struct queue_accept accept;
	struct queue_replay replay;
	reissue_fn fn;
	void *arg;
	struct reissue_result result;
	char why[200];
};

static void go_on(struct reissue *r);

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

static void reissue_free(struct reissue *r)
{
	signing_end(&r->signing);
	conf_unref(&r->conf);
	buf_fini(&r->signatures);
	buf_fini(&r->head);
	for (size_t i = 0; i < r->count; i++) {
		free((char *)(uintptr_t)r->rcpts[i].address);
		free((char *)(uintptr_t)r->rcpts[i].orcpt);
	}
	for (size_t i = 0; i < ARRAY_LEN(r->texts); i++)
		free(r->texts[i]);
	free(r->source);
	free(r->rcpts);
	free(r->ns);
	free(r->input);
	free(r->piece);
	free(r);
}

/* What was stored of a copy that will not be finished. */
static void discard(const struct reissue *r)
{
	struct queue_discard *request;

	if (r->streamed == 0)
		return;
	request = xcalloc(1, sizeof(*request));
	request->req.kind = QUEUE_DISCARD;
	request->id = r->message.id;
	queue_submit(r->env.queue, &request->req);
}

static void finish(void *arg)
{
	struct reissue *r = arg;

	if (r->result.result != OK)
		discard(r);
	r->result.why = r->why;
	r->fn(r->arg, &r->result);
	reissue_free(r);
}

static void fail(struct reissue *r, enum err err, const char *why)
{
	r->result.result = err;
	(void)snprintf(r->why, sizeof(r->why), "%.199s", why);
	loop_later(r->env.loop, finish, r);
}

static void log_replayed(const struct reissue *r)
{
	char id[MSG_ID_TEXT], from[MSG_ID_TEXT];
	struct log_line line;

	log_begin(&line, LOG_INFO, "replayed");
	log_str(&line, "id", msg_id_format(r->message.id, id));
	log_str(&line, "from", msg_id_format(r->old, from));
	log_str(&line, "tenant", r->message.tenant);
	log_num(&line, "rcpts", (int64_t)r->count);
	log_str(&line, "by", "operator");
	log_end(&line);
}

static void replayed(struct queue_req *req)
{
	struct reissue *r = CONTAINER_OF(req, struct reissue, replay.req);

	if (req->result != OK) {
		r->result.id = r->replay.earlier;
		fail(r, req->result, req->why);
		return;
	}
	r->result.id = r->message.id;
	log_replayed(r);
	dispatch_adopt(r->env.dispatch, r->message.id);
	finish(r);
}

/* --- the new rows ------------------------------------------------------------------------------------------------------------ */

/* Fresh signatures if there are keys, else those that it had. */
static void sign_head(struct reissue *r, struct buf *out)
{
	struct err_detail why = { .text = "" };
	char id[MSG_ID_TEXT];

	(void)signing_cost_us(r->signing);
	if (signing_finish(r->signing, r->message.arrived, out, &why) != OK) {
		log_text(LOG_WARN, "unsigned", "replayed message %s keeps its signatures: %s", msg_id_format(r->message.id, id), why.text);
		buf_reset(out);
	}
	if (out->len == 0)
		must(buf_add(out, r->signatures.data, r->signatures.len) == OK);
}

/* The rest of the content, as docs/ON_DISK.md wants it: only chunk 0 and the last may be short. */
static void lay_out(struct reissue *r, struct buf *signed_head)
{
	struct queue_accept *accept = &r->accept;
	size_t head;

	must(buf_add(signed_head, r->head.data, r->head.len) == OK);
	head = signed_head->len;
	r->message.size_bytes = head + (uint64_t)r->streamed * QUEUE_CHUNK + r->piece_len;
	accept->blobs = r->blobs;
	if (r->streamed > 0) {
		accept->head = (struct queue_blob){ signed_head->data, head };
		accept->first_blob = 1 + r->streamed;
		r->blobs[accept->blob_count++] = (struct queue_blob){ r->piece, r->piece_len };
	} else if (head + r->piece_len <= QUEUE_CHUNK) {
		must(buf_add(signed_head, r->piece, r->piece_len) == OK);
		r->blobs[accept->blob_count++] = (struct queue_blob){ signed_head->data, signed_head->len };
	} else {
		r->blobs[accept->blob_count++] = (struct queue_blob){ signed_head->data, head };
		r->blobs[accept->blob_count++] = (struct queue_blob){ r->piece, r->piece_len };
	}
	r->message.chunks = accept->first_blob + (uint32_t)accept->blob_count;
}

static void accept_copy(struct reissue *r)
{
	struct buf head;

	buf_init(&head, 2 * QUEUE_CHUNK);
	sign_head(r, &head);
	lay_out(r, &head);
	buf_fini(&r->head);
	r->head = head; /* the blobs point into it */
	r->accept.req.kind = QUEUE_ACCEPT;
	r->accept.message = r->message;
	r->accept.rcpts = r->rcpts;
	r->accept.rcpt_count = r->count;
	r->replay.req.kind = QUEUE_REPLAY;
	r->replay.req.reply_to = loop_mailbox(r->env.loop);
	r->replay.req.done = replayed;
	r->replay.accept = &r->accept;
	r->replay.id = r->old;
	r->replay.ns = r->ns;
	r->replay.count = r->count;
	r->replay.at = r->message.arrived;
	queue_submit(r->env.queue, &r->replay.req);
}

/* --- the content ------------------------------------------------------------------------------------------------------------- */

/* Length of the field at the start, its folded lines included. */
static size_t field_length(const char *data, size_t len)
{
	for (const char *at = data, *end = data + len; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;) {
		at++;
		if (at == end || (*at != ' ' && *at != '\t'))
			return (size_t)(at - data);
	}
	return len;
}

/* Signatures that stand above everything else are ours: what came in begins below our Received field. */
static size_t signatures_length(const char *data, size_t len)
{
	size_t at = 0;

	while (len - at > sizeof(SIGNATURE) && ascii_equal_n(data + at, sizeof(SIGNATURE) - 1, SIGNATURE))
		at += field_length(data + at, len - at);
	return at;
}

static size_t opening_length(const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len);
	size_t line = lf ? (size_t)(lf - data) + 1 : len;

	return line < OPENING_MAX ? line : (len < OPENING_MAX ? len : OPENING_MAX);
}

static bool read_chunk(struct reissue *r)
{
	struct err_detail why;
	enum err err = queue_body_read(r->env.reader, r->old, r->chunk, r->input, &r->input_len, &why);

	r->input_at = 0;
	if (err != OK) {
		fail(r, err, err == ERR_NOT_FOUND ? "the message was removed meanwhile" : why.text);
		return false;
	}
	if (r->chunk == 0) {
		size_t signatures = signatures_length(r->input, r->input_len);

		must(buf_add(&r->signatures, r->input, signatures) == OK);
		r->input_at = signatures;
	}
	signing_feed(r->signing, r->input + r->input_at, r->input_len - r->input_at);
	/* Usually in chunk 0; that one may hold no more than our signatures. */
	if (r->head.len == 0 && r->input_at < r->input_len) {
		size_t opening = opening_length(r->input + r->input_at, r->input_len - r->input_at);

		must(buf_add(&r->head, r->input + r->input_at, opening) == OK);
		r->input_at += opening;
	}
	r->chunk++;
	return true;
}

static void stored(struct queue_req *req)
{
	struct reissue *r = CONTAINER_OF(req, struct reissue, put.req);

	if (req->result != OK) {
		fail(r, req->result, req->why);
		return;
	}
	r->piece_len = 0;
	go_on(r);
}

static void store_piece(struct reissue *r)
{
	r->put = (struct queue_chunk){
		.req = { .kind = QUEUE_CHUNK_PUT, .reply_to = loop_mailbox(r->env.loop), .done = stored },
		.id = r->message.id, .n = ++r->streamed, .blob = { r->piece, r->piece_len },
	};
	queue_submit(r->env.queue, &r->put.req);
}

/* Until a piece is full and more follows, or the message is at its end. */
static void go_on(struct reissue *r)
{
	for (;;) {
		size_t room = QUEUE_CHUNK - r->piece_len, left = r->input_len - r->input_at, n = left < room ? left : room;

		memcpy(r->piece + r->piece_len, r->input + r->input_at, n);
		r->piece_len += n;
		r->input_at += n;
		if (r->input_at < r->input_len) {
			store_piece(r);
			return;
		}
		if (r->chunk == r->chunks) {
			accept_copy(r);
			return;
		}
		if (!read_chunk(r))
			return;
	}
}

/* --- the start --------------------------------------------------------------------------------------------------------------- */

static void begin(void *arg)
{
	go_on(arg);
}

/* The texts of the old message live only as long as the caller's letters. */
static const char *keep(struct reissue *r, size_t slot, const char *text)
{
	r->texts[slot] = xstrdup(text);
	return r->texts[slot];
}

static void take_message(struct reissue *r, const struct queue_message *old, const struct reissue_wish *wish)
{
	r->message = (struct queue_message){
		.id = queue_new_id(r->env.queue), .arrived = dispatch_now(r->env.dispatch), .deadline = wish->due + r->conf->retry.expire_ms,
		.rcpt_count = (uint32_t)r->count, .flags = old->flags, .priority = old->priority,
		.sender = keep(r, 0, old->sender), .tenant = keep(r, 1, old->tenant), .pool = keep(r, 2, wish->pool ? wish->pool : old->pool),
		.client = keep(r, 3, old->client), .login = keep(r, 4, old->login), .envid = keep(r, 5, old->envid),
	};
}

static void take_rcpt(struct reissue *r, uint32_t i, const struct queue_rcpt *old, const struct reissue_wish *wish)
{
	struct queue_rcpt *rcpt = &r->rcpts[i];
	const char *at;

	*rcpt = (struct queue_rcpt){
		.n = i, .job = i, .state = RCPT_WAITING, .notify = old->notify, .next = wish->due, .address = xstrdup(old->address),
		.reason = "", .source = r->source ? r->source : "", .relay = "", .reply = "", .class_name = "", .orcpt = xstrdup(old->orcpt),
	};
	at = strrchr(rcpt->address, '@');
	rcpt->domain = at ? at + 1 : rcpt->address + strlen(rcpt->address);
	if (i > 0 && strcmp(rcpt->domain, r->rcpts[i - 1].domain) == 0)
		rcpt->job = r->rcpts[i - 1].job;
	r->ns[i] = old->n;
}

/* A tenant that is gone has no say in whose name it signed; what we wrote ourselves is signed as such. */
static struct signing *begin_signing(const struct conf *conf, const char *tenant)
{
	const struct conf_tenant *found = conf_tenant_find(conf, tenant);

	if (found)
		return signing_begin(keyring_of(conf), found->domains, found->domain_count);
	return strcmp(tenant, BOUNCE_TENANT) == 0 ? signing_begin(keyring_of(conf), NULL, 0) : NULL;
}

void reissue_start(const struct ops_env *env, const struct queue_letters *letters, const size_t *which, size_t count,
    const struct reissue_wish *wish, reissue_fn fn, void *arg)
{
	struct reissue *r = xcalloc(1, sizeof(*r));

	r->env = *env;
	r->conf = conf_ref(env->conf(env->arg));
	r->old = letters->message.id;
	r->chunks = letters->message.chunks;
	r->count = count;
	r->source = wish->source ? xstrdup(wish->source) : NULL;
	r->rcpts = xcalloc(count, sizeof(r->rcpts[0]));
	r->ns = xcalloc(count, sizeof(r->ns[0]));
	r->input = xcalloc(1, QUEUE_CHUNK);
	r->piece = xcalloc(1, QUEUE_CHUNK);
	r->fn = fn;
	r->arg = arg;
	r->result.count = count;
	r->replay.again = wish->again;
	buf_init(&r->signatures, QUEUE_CHUNK);
	buf_init(&r->head, QUEUE_CHUNK);
	take_message(r, &letters->message, wish);
	for (size_t i = 0; i < count; i++)
		take_rcpt(r, (uint32_t)i, &letters->letters[which[i]].rcpt, wish);
	r->signing = begin_signing(r->conf, r->message.tenant);
	loop_later(env->loop, begin, r);
}
