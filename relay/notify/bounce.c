/* relay/notify/bounce.c - a DSN as a message of our own: text, body chunks and the rows to store it with. */
#include "relay/notify/bounce.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/sign/signing.h"
#include "relay/wire/idn.h"
#include "relay/wire/utf8.h"

#define BOUNCE_BYTES_MAX  (1024 * 1024) /* of the whole DSN */
#define BOUNCE_BLOBS_MAX  (BOUNCE_BYTES_MAX / QUEUE_CHUNK + 1)
#define BOUNCE_FULL_MAX   (512 * 1024) /* of a message that RET=FULL returns; of a larger one the header */
#define BOUNCE_RCPTS_TOLD 500 /* recipients listed in one DSN */

struct bounce {
	struct queue_accept accept;
	struct queue_rcpt rcpt;
	struct queue_blob blobs[BOUNCE_BLOBS_MAX];
	char *sender; /* of the original: our recipient, its domain in ASCII where that is enough */
	char *pool;
	struct buf text;
};

/* Length of the header section at the start of `data`, its empty line not included; all of it when there is no end inside. */
static size_t header_length(const char *data, size_t len)
{
	for (const char *p = data, *end = data + len; p < end;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (!lf)
			break;
		if (lf == p || (lf == p + 1 && *p == '\r'))
			return (size_t)(p - data);
		p = lf + 1;
	}
	return len;
}

static void blobs_set(struct bounce *bounce)
{
	size_t count = 0;

	for (size_t at = 0; at < bounce->text.len; at += QUEUE_CHUNK, count++) {
		size_t left = bounce->text.len - at;

		bounce->blobs[count].data = bounce->text.data + at;
		bounce->blobs[count].len = left < QUEUE_CHUNK ? left : QUEUE_CHUNK;
	}
	bounce->accept.blobs = bounce->blobs;
	bounce->accept.blob_count = count;
	bounce->accept.message.chunks = (uint32_t)count;
	bounce->accept.message.size_bytes = bounce->text.len;
}

/* Only who has such an address can be told in UTF-8; others may be behind hosts without SMTPUTF8, whatever their own mail was. */
static bool needs_utf8(const struct bounce *bounce)
{
	return !utf8_is_ascii(bounce->sender, strlen(bounce->sender));
}

static void rows_set(struct bounce *bounce, const struct conf *conf, const struct queue_job *job, wall_ms now)
{
	struct queue_message *message = &bounce->accept.message;
	const char *at;

	bounce->pool = xstrdup(conf->bounce_pool);
	message->arrived = now;
	message->deadline = now + conf->retry.expire_ms;
	message->rcpt_count = 1;
	message->flags = MSG_BOUNCE | (utf8_is_ascii(bounce->text.data, bounce->text.len) ? 0 : MSG_8BIT) | (needs_utf8(bounce) ? MSG_SMTPUTF8 : 0) |
	    (job->message.flags & MSG_REQUIRETLS);
	message->sender = "";
	message->tenant = BOUNCE_TENANT;
	message->pool = bounce->pool;
	message->client = "";
	message->login = "";
	at = strrchr(bounce->sender, '@');
	bounce->rcpt = (struct queue_rcpt){
	    .state = RCPT_WAITING, .next = now, .address = bounce->sender, .domain = at ? at + 1 : "",
	    .reason = "", .source = "", .relay = "", .reply = "", .class_name = "",
	};
	bounce->accept.rcpts = &bounce->rcpt;
	bounce->accept.rcpt_count = 1;
	bounce->accept.req.kind = QUEUE_ACCEPT;
}

/* The first chunks hold the header section as far as a report shows it; chunk 0 may hold no more than our own fields. */
static size_t read_head(struct queue_reader *reader, const struct queue_message *message, char *out)
{
	size_t len = 0, more = 0;

	if (queue_body_read(reader, message->id, 0, out, &len, NULL) != OK)
		return 0;
	if (message->chunks > 1 && queue_body_read(reader, message->id, 1, out + len, &more, NULL) != OK)
		return 0;
	return len + more;
}

/* RFC 3461 section 4.3: only for a failure. What may not or cannot be shown whole (RFC 8689 section 5; binary in a report of lines) is not. */
static bool is_full_wanted(const struct queue_message *message, const struct report_rcpt *rcpts, size_t count)
{
	if (!(message->flags & MSG_RET_FULL) || (message->flags & (MSG_REQUIRETLS | MSG_BINARY)) || message->size_bytes > BOUNCE_FULL_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (rcpts[i].kind == REPORT_FAILED || rcpts[i].kind == REPORT_EXPIRED)
			return true;
	return false;
}

/* The whole body into `out`, which holds a chunk more than it has bytes. False: it cannot be read. */
static bool read_all(struct queue_reader *reader, const struct queue_message *message, char *out, size_t *len_out)
{
	*len_out = 0;
	for (uint32_t n = 0; n < message->chunks; n++) {
		size_t len;

		if (*len_out > message->size_bytes || queue_body_read(reader, message->id, n, out + *len_out, &len, NULL) != OK)
			return false;
		*len_out += len;
	}
	return *len_out == message->size_bytes;
}

/* What the report shows of the original; malloc'ed. */
static char *read_original(struct queue_reader *reader, const struct queue_message *message, struct report *report)
{
	size_t room = report->full ? (size_t)message->size_bytes + QUEUE_CHUNK : 2 * QUEUE_CHUNK;
	char *text;

	text = xcalloc(1, room > 2 * QUEUE_CHUNK ? room : 2 * QUEUE_CHUNK);
	report->full = report->full && read_all(reader, message, text, &report->headers_len);
	if (!report->full)
		report->headers_len = header_length(text, read_head(reader, message, text));
	report->headers = text;
	return text;
}

void bounce_sign(struct buf *text, const struct conf *conf, const char *id, wall_ms now)
{
	struct signing *signing = signing_begin(keyring_of(conf), NULL, 0);
	struct err_detail why;
	struct buf out;

	if (!signing)
		return;
	buf_init(&out, BOUNCE_BYTES_MAX);
	signing_feed(signing, text->data, text->len);
	(void)signing_cost_us(signing);
	if (signing_finish(signing, now, &out, &why) != OK) {
		log_text(LOG_WARN, "unsigned", "report %s: %s", id, why.text);
	} else if (out.len > 0 && buf_add(&out, text->data, text->len) == OK) {
		struct buf unsigned_text = *text;

		*text = out;
		out = unsigned_text;
	}
	buf_fini(&out);
	signing_end(&signing);
}

/* Others choose how much there is to tell: first the original's header gives way, then recipients do. One always fits. */
static void write_report(struct report *report, struct buf *out)
{
	while (report_format(report, out) != OK) {
		buf_reset(out);
		if (report->headers_len > 0) {
			report->headers_len = 0;
			report->full = false;
			continue;
		}
		must(report->rcpt_count > 1);
		report->left_out += report->rcpt_count - report->rcpt_count / 2;
		report->rcpt_count /= 2;
	}
}

struct bounce *bounce_create(struct queue *queue, struct queue_reader *reader, const struct conf *conf, const struct queue_job *job,
    const struct report_rcpt *rcpts, size_t rcpt_count, wall_ms now)
{
	struct bounce *bounce;
	char id[MSG_ID_TEXT], about[MSG_ID_TEXT];
	char *original;

	const struct conf_tenant *tenant = conf_tenant_find(conf, job->message.tenant);

	if (tenant && tenant->bounces != BOUNCES_MAIL)
		return NULL;
	if (rcpt_count == 0 || job->message.sender[0] == '\0' || (job->message.flags & MSG_BOUNCE) || !strchr(job->message.sender, '@'))
		return NULL;
	bounce = xcalloc(1, sizeof(*bounce));
	bounce->accept.message.id = queue_new_id(queue);
	bounce->sender = idn_ascii_address(job->message.sender);
	struct report report = {
	    .id = msg_id_format(bounce->accept.message.id, id),
	    .about_id = msg_id_format(job->message.id, about),
	    .hostname = conf->hostname,
	    .sender = bounce->sender,
	    .arrived = job->message.arrived,
	    .now = now,
	    .smtputf8 = needs_utf8(bounce),
	    .original_smtputf8 = job->message.flags & MSG_SMTPUTF8,
	    .rcpts = rcpts,
	    .rcpt_count = rcpt_count < BOUNCE_RCPTS_TOLD ? rcpt_count : BOUNCE_RCPTS_TOLD,
	    .left_out = rcpt_count < BOUNCE_RCPTS_TOLD ? 0 : rcpt_count - BOUNCE_RCPTS_TOLD,
	    .full = is_full_wanted(&job->message, rcpts, rcpt_count),
	    .envid = job->message.envid,
	};

	original = read_original(reader, &job->message, &report);
	buf_init(&bounce->text, BOUNCE_BYTES_MAX);
	write_report(&report, &bounce->text);
	free(original);
	bounce_sign(&bounce->text, conf, id, now);
	rows_set(bounce, conf, job, now);
	blobs_set(bounce);
	return bounce;
}

struct queue_accept *bounce_accept(struct bounce *bounce)
{
	return &bounce->accept;
}

void bounce_destroy(struct bounce **bounce_ptr)
{
	struct bounce *bounce = *bounce_ptr;

	if (!bounce)
		return;
	buf_fini(&bounce->text);
	free(bounce->sender);
	free(bounce->pool);
	free(bounce);
	*bounce_ptr = NULL;
}
