/* relay/notify/report_status.c - the part of a report for programs: message/delivery-status (RFC 3464), message/global-delivery-status (RFC 6533). */
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/notify/report_int.h"
#include "relay/wire/param.h"
#include "relay/wire/unitext.h"
#include "relay/wire/utf8.h"
#include "relay/wire/xtext.h"

#define ADDRESS_MAX 880 /* bytes of one, encoded: a line has room for them */

/* The enhanced code behind the code of a reply, "450 4.2.1 words". */
static bool status_of_reply(const char *reply, char out[16])
{
	int len = 0;

	return sscanf(reply, "%*3[0-9] %15[0-9.]%n", out, &len) == 1 && len >= 9 && (out[0] == '4' || out[0] == '5') && out[1] == '.' &&
	    (reply[len] == ' ' || reply[len] == '\0');
}

/* RFC 3463: the remote's own class where it gave no detail; X.4.7 is "delivery time expired". */
static void put_status(struct words *words, const struct report_rcpt *rcpt)
{
	static const char *const of_kind[] = { [REPORT_FAILED] = "5.0.0", [REPORT_EXPIRED] = "4.4.7", [REPORT_DELAYED] = "4.0.0",
		[REPORT_RELAYED] = "2.0.0" };
	const char *status = rcpt->status;
	char said[16];

	if (status[0] == '\0' && rcpt->kind == REPORT_DELAYED && status_of_reply(rcpt->reply, said))
		status = said;
	if (status[0] == '\0')
		status = rcpt->kind == REPORT_FAILED && rcpt->code / 100 == 4 ? "4.0.0" : of_kind[rcpt->kind];
	words_field(words, "Status", status);
}

/* "host[address]" has no place in a field of type dns: the host, or the literal when it has no name. */
static void put_remote(struct words *words, const char *relay)
{
	char host[300];
	const char *bracket = strchr(relay, '[');

	snprintf(host, sizeof(host), "%s", relay);
	if (bracket != NULL && bracket > relay && (size_t)(bracket - relay) < sizeof(host))
		host[bracket - relay] = '\0';
	words_typed_field(words, "Remote-MTA", "dns", host);
}

/* `reply` may begin with the code already. Words of our own are no SMTP reply and say so. */
static void put_diagnostic(struct words *words, const struct report_rcpt *rcpt)
{
	char code[16];

	if (rcpt->reply[0] == '\0' && rcpt->code == 0)
		return;
	if (rcpt->code == 0) {
		words_typed_field(words, "Diagnostic-Code", "x-warmrelay", rcpt->reply);
		return;
	}
	snprintf(code, sizeof(code), "%03d", rcpt->code);
	if (strncmp(rcpt->reply, code, strlen(code)) == 0) {
		words_typed_field(words, "Diagnostic-Code", "smtp", rcpt->reply);
		return;
	}
	words_format(words, "Diagnostic-Code: smtp; %s", code);
	words->column = strlen("Diagnostic-Code: smtp; 550");
	words_add(words, rcpt->status, " ");
	words_add(words, rcpt->reply, " ");
	words_put(words, "\r\n");
}

static bool is_ascii(const char *text)
{
	return utf8_is_ascii(text, strlen(text));
}

/* "Name: utf-8; address": as it is where that may be, else in ASCII (RFC 6533 section 3). */
static void put_utf8_address(struct words *words, const char *name, const char *address)
{
	char text[ADDRESS_MAX];

	if (words->utf8)
		(void)snprintf(text, sizeof(text), "%s", address);
	else
		(void)unitext_encode(address, strlen(address), true, text, sizeof(text));
	words_type(words, name, "utf-8");
	words_word(words, text, strlen(text), " ");
	words_put(words, "\r\n");
}

/* RFC 3464 section 2.3.1 */
static void put_original_recipient(struct words *words, const char *orcpt)
{
	static const char utf8_type[] = "utf-8;";
	char text[ORCPT_MAX + 1];

	if (orcpt == NULL || orcpt[0] == '\0')
		return;
	if (ascii_equal_n(orcpt, sizeof(utf8_type) - 1, utf8_type)) {
		orcpt += sizeof(utf8_type) - 1;
		(void)unitext_decode(orcpt, strlen(orcpt), text, sizeof(text));
		put_utf8_address(words, "Original-Recipient", text);
		return;
	}
	xtext_decode(orcpt, strlen(orcpt), text, sizeof(text));
	words_field(words, "Original-Recipient", text);
}

/* RFC 6533 section 3: the type is for addresses that are not ASCII; older readers know the others by rfc822. */
static void put_final_recipient(struct words *words, const char *address)
{
	if (!is_ascii(address)) {
		put_utf8_address(words, "Final-Recipient", address);
		return;
	}
	words_type(words, "Final-Recipient", "rfc822");
	words_word(words, address, strlen(address), " ");
	words_put(words, "\r\n");
}

/* RFC 3464 section 2.2.1 */
static void put_envelope_id(struct words *words, const char *envid)
{
	char text[ENVID_MAX + 1];

	if (envid == NULL || envid[0] == '\0')
		return;
	xtext_decode(envid, strlen(envid), text, sizeof(text));
	words_field(words, "Original-Envelope-Id", text);
}

static void put_rcpt(struct words *words, const struct report_rcpt *rcpt)
{
	static const char *const actions[] = {
		[REPORT_FAILED] = "failed", [REPORT_EXPIRED] = "failed", [REPORT_DELAYED] = "delayed", [REPORT_RELAYED] = "relayed",
	};

	words_put(words, "\r\n");
	put_original_recipient(words, rcpt->orcpt);
	put_final_recipient(words, rcpt->address);
	words_field(words, "Action", actions[rcpt->kind]);
	put_status(words, rcpt);
	if (rcpt->relay[0] != '\0')
		put_remote(words, rcpt->relay);
	put_diagnostic(words, rcpt);
	if (rcpt->last_attempt != 0)
		words_date_field(words, "Last-Attempt-Date", rcpt->last_attempt);
	if (rcpt->kind == REPORT_DELAYED && rcpt->will_retry_until != 0)
		words_date_field(words, "Will-Retry-Until", rcpt->will_retry_until);
}

void report_put_status(struct words *words, const struct report *report)
{
	words->utf8 = report->smtputf8;
	words_format(words, "Content-Type: message/%sdelivery-status\r\n", report->smtputf8 ? "global-" : "");
	words_format(words, "Content-Transfer-Encoding: %s\r\n\r\n", report->smtputf8 ? "8bit" : "7bit");
	put_envelope_id(words, report->envid);
	words_typed_field(words, "Reporting-MTA", "dns", report->hostname);
	words_field(words, "X-Warmrelay-Queue-ID", report->about_id);
	words_date_field(words, "Arrival-Date", report->arrived);
	for (size_t i = 0; i < report->rcpt_count; i++)
		put_rcpt(words, &report->rcpts[i]);
}

