/* relay/wire/compose.h - a message in the form of RFC 5322 and MIME out of its parts: addresses, subject, texts, attachments. Pure.
 *
 * All of it is ASCII in short lines, but for addresses that are not ASCII themselves (RFC 6532). Nothing that the parts say can add a
 * field or a part: whatever holds CR, LF or NUL where a field's value goes is refused. */
#ifndef WIRE_COMPOSE_H
#define WIRE_COMPOSE_H

#include "base/buf.h"
#include "base/clock.h"
#include "relay/wire/address.h"

#define COMPOSE_NAME_MAX 1000 /* bytes of a mailbox's name, of a field's name or an attachment's */

/* A mailbox with the name of who reads it. Strings are borrowed here and below. */
struct compose_mailbox {
	char name[COMPOSE_NAME_MAX + 1]; /* UTF-8; "": none */
	struct address address;
};

/*
 * Read "address" or "Name <address>" (the name maybe in double quotes) in UTF-8.
 *
 * ERR_INVALID with what is wrong in `why`: controls, not UTF-8, no mailbox, an address without a domain.
 */
MUST_USE enum err compose_mailbox_parse(const char *text, struct compose_mailbox *out, struct err_detail *why);

/* A further field. */
struct compose_field {
	const char *name, *value;
};

struct compose_attachment {
	const char *name; /* of the file; NULL: none */
	const char *type; /* "image/png"; NULL: application/octet-stream */
	const void *data;
	size_t len;
};

struct compose_mailboxes {
	const struct compose_mailbox *at;
	size_t count;
};

struct compose {
	const struct compose_mailbox *from;
	struct compose_mailboxes to, cc;
	const char *subject;          /* NULL: no Subject field */
	const char *text, *html;      /* UTF-8; either may be NULL */
	size_t text_len, html_len;
	const struct compose_field *fields;
	size_t field_count;
	const struct compose_attachment *attachments;
	size_t attachment_count;
	wall_ms date;                 /* for the Date field, unless `fields` has one */
	const char *message_id;       /* "left@right", likewise */
	uint64_t seed;                /* random: makes boundaries that no text can hold by chance or intent */
};

/* May the further field be written? ERR_INVALID: not a field name, one that is made here (From, To, Cc, Subject, Content-..., MIME-Version) or
 * belongs to transport (Bcc, Received, Return-Path, DKIM-Signature...), or a value with controls or bytes that are not UTF-8, or one
 * that has to be ASCII and is not. */
MUST_USE enum err compose_field_check(const struct compose_field *field, struct err_detail *why);

/* Name and type of an attachment. ERR_INVALID: controls, not UTF-8, not a type, or one that may not be sent as base64 (multipart, message:
 * RFC 2046 section 5). */
MUST_USE enum err compose_attachment_check(const struct compose_attachment *attachment, struct err_detail *why);

/* Write the message. ERR_INVALID: one of the checks above, or a subject or text that is not UTF-8 or holds what it may not; ERR_LIMIT: larger
 * than the buffer may get. */
MUST_USE enum err compose_message(const struct compose *compose, struct buf *out, struct err_detail *why);

#endif
