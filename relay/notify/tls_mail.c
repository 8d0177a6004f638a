/* relay/notify/tls_mail.c - a TLS report as a message of our own: text, body chunks and the rows to store it with. */
#include "relay/notify/tls_mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/notify/bounce.h"
#include "relay/notify/tls_json.h"
#include "relay/wire/mime.h"

#define BYTES_MAX (512 * 1024)
#define TRY_MS    DAYS(1) /* RFC 8460 section 5.5: delivery is attempted for a day */
#define BLOBS_MAX (BYTES_MAX / QUEUE_CHUNK + 1)

struct tls_mail {
	struct queue_accept accept;
	struct queue_rcpt rcpt;
	struct queue_blob blobs[BLOBS_MAX];
	char *to, *pool, *key;
	struct buf text;
};

/* Name of the file that a report is: "OURS!DOMAIN!START!END.json.gz" (section 5.1). malloc'ed. */
static char *tls_mail_file(const struct tls_figures *figures, const char *hostname)
{
	return xasprintf("%s!%s!%lld!%lld.json.gz", hostname, figures->domain, (long long)(figures->start / 1000),
	    (long long)((figures->end - 1) / 1000));
}

static enum err put_header(struct tls_mail *mail, const struct conf *conf, const struct tls_figures *figures, wall_ms now)
{
	char id[MSG_ID_TEXT], date[CLOCK_TEXT], report[TLS_REPORT_ID];

	msg_id_format(mail->accept.message.id, id);
	return buf_printf(&mail->text, "Date: %s\r\nFrom: TLS reports <postmaster@%s>\r\nTo: <%s>\r\n"
	    "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n"
	    "Message-ID: <%s@%s>\r\nTLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\nTLS-Required: No\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"=_%s\"\r\n\r\n",
	    clock_rfc5322(now, date), conf->hostname, mail->to, figures->domain, conf->hostname, tls_report_id(figures, conf->hostname, report), id,
	    conf->hostname, figures->domain, conf->hostname, id);
}

static enum err put_words(struct tls_mail *mail, const struct conf *conf, const struct tls_figures *figures, const char *boundary)
{
	char from[CLOCK_TEXT], to[CLOCK_TEXT];

	return buf_printf(&mail->text, "--=_%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is a report about TLS with the mail servers of %s,\r\nfrom %s to %s, as seen by %s:\r\n"
	    "%llu sessions went well, %llu failed.\r\n\r\n",
	    boundary, figures->domain, clock_rfc3339(figures->start, from), clock_rfc3339(figures->end - 1, to), conf->hostname,
	    (unsigned long long)tls_figures_good(figures), (unsigned long long)tls_figures_bad(figures));
}

static enum err put_report(struct tls_mail *mail, const struct conf *conf, const struct tls_figures *figures, const struct buf *gzip,
    const char *boundary)
{
	char *file = tls_mail_file(figures, conf->hostname);
	enum err err = buf_printf(&mail->text, "--=_%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n", boundary, file);

	free(file);
	err = err == OK ? mime_base64(gzip->data, gzip->len, &mail->text) : err;
	return err == OK ? buf_printf(&mail->text, "--=_%s--\r\n", boundary) : err;
}

static void set_blobs(struct tls_mail *mail)
{
	size_t count = 0;

	for (size_t at = 0; at < mail->text.len; at += QUEUE_CHUNK, count++) {
		size_t left = mail->text.len - at;

		mail->blobs[count] = (struct queue_blob){ mail->text.data + at, left < QUEUE_CHUNK ? left : QUEUE_CHUNK };
	}
	mail->accept.blobs = mail->blobs;
	mail->accept.blob_count = count;
	mail->accept.message.chunks = (uint32_t)count;
	mail->accept.message.size_bytes = mail->text.len;
}

static void set_rows(struct tls_mail *mail, const struct conf *conf, wall_ms now)
{
	struct queue_message *message = &mail->accept.message;

	message->arrived = now;
	message->deadline = now + (conf->retry.expire_ms < TRY_MS ? conf->retry.expire_ms : TRY_MS);
	message->rcpt_count = 1;
	message->flags = MSG_BOUNCE | MSG_TLS_OPTIONAL;
	message->sender = "";
	message->tenant = BOUNCE_TENANT;
	message->pool = mail->pool;
	message->client = message->login = "";
	mail->rcpt = (struct queue_rcpt){ .state = RCPT_WAITING, .next = now, .address = mail->to, .domain = strrchr(mail->to, '@') + 1,
		.reason = "", .source = "", .relay = "", .reply = "", .class_name = "" };
	mail->accept.rcpts = &mail->rcpt;
	mail->accept.rcpt_count = 1;
	mail->accept.key = mail->key;
	mail->accept.req.kind = QUEUE_ACCEPT;
}

struct tls_mail *tls_mail_create(struct queue *queue, const struct conf *conf, const struct tls_figures *figures, const struct buf *gzip,
    const char *to, wall_ms now)
{
	struct tls_mail *mail = xcalloc(1, sizeof(*mail));
	char id[MSG_ID_TEXT];

	mail->accept.message.id = queue_new_id(queue);
	mail->to = xstrdup(to);
	mail->pool = xstrdup(conf->bounce_pool);
	mail->key = xasprintf("tlsrpt.%lld.%lld.%.100s.%.100s", (long long)figures->start, (long long)figures->end, figures->domain, to);
	msg_id_format(mail->accept.message.id, id);
	buf_init(&mail->text, BYTES_MAX);
	/* Figures have bounds, and so has what becomes of them. */
	must(put_header(mail, conf, figures, now) == OK && put_words(mail, conf, figures, id) == OK &&
	    put_report(mail, conf, figures, gzip, id) == OK);
	bounce_sign(&mail->text, conf, id, now);
	set_blobs(mail);
	set_rows(mail, conf, now);
	return mail;
}

bool tls_mail_is_signed(const struct tls_mail *mail)
{
	static const char field[] = "DKIM-Signature:";

	return mail->text.len >= sizeof(field) && memcmp(mail->text.data, field, sizeof(field) - 1) == 0;
}

struct queue_accept *tls_mail_accept(struct tls_mail *mail)
{
	return &mail->accept;
}

void tls_mail_destroy(struct tls_mail **mail)
{
	struct tls_mail *m = *mail;

	*mail = NULL;
	if (!m)
		return;
	buf_fini(&m->text);
	free(m->to);
	free(m->pool);
	free(m->key);
	free(m);
}
