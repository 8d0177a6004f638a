/* relay/notify/report.h - the text of a delivery status notification (RFC 3464, 6522). Pure: no I/O, no clock. */
#ifndef NOTIFY_REPORT_H
#define NOTIFY_REPORT_H

#include "base/buf.h"
#include "base/clock.h"

/* RELAYED: handed to a server that sends no reports of its own (RFC 3461 section 5.2.2). */
enum report_kind { REPORT_FAILED, REPORT_EXPIRED, REPORT_DELAYED, REPORT_RELAYED };

/* One recipient that the report is about. Strings are borrowed; "" where nothing is known. */
struct report_rcpt {
	enum report_kind kind;
	const char *address;
	const char *status;   /* enhanced code "5.1.1"; "" makes a fitting one of kind and code */
	int code;             /* SMTP code of the remote, 0: none */
	const char *reply;    /* the remote's words, or our own */
	const char *relay;    /* host[address] that said so; "": no remote spoke (no Remote-MTA field) */
	wall_ms last_attempt; /* 0: none */
	wall_ms will_retry_until; /* DELAYED only */
	const char *orcpt;    /* ORCPT of the recipient, xtext; NULL or "": none */
};

struct report {
	const char *id;         /* of the report */
	const char *about_id;   /* of the message that it is about */
	const char *hostname;
	const char *sender;     /* To: of the report */
	wall_ms arrived, now;
	bool smtputf8;          /* the report may be SMTPUTF8 itself: message/global-delivery-status (RFC 6533). Without it is ASCII, but for a message that is
	                         * not SMTPUTF8 and goes in whole */
	bool original_smtputf8; /* the message is: message/global-headers, message/global */
	const struct report_rcpt *rcpts;
	size_t rcpt_count;
	size_t left_out;        /* recipients that are not among them; their number is told */
	const char *headers;    /* the original header section, CRLF lines; borrowed */
	size_t headers_len;     /* what exceeds 64 KiB is cut at a line end */
	bool full;              /* `headers` is the whole message and goes in as it is (RET=FULL) */
	const char *envid;      /* ENVID of the message, xtext; NULL or "": none */
};

/* Append the whole message, CRLF lines: multipart/report with a human part (UTF-8), message/delivery-status, text/rfc822-headers or message/rfc822, or
 * those of RFC 6533; From: MAILER-DAEMON@hostname, Auto-Submitted: auto-replied (RFC 3834), Date, Message-ID. ERR_LIMIT by the buffer, or at 4 MiB. */
MUST_USE enum err report_format(const struct report *report, struct buf *out);

#endif
