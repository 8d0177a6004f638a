/* relay/intake/seal.c - the DKIM signatures of a transaction's message. */
#include "relay/intake/seal.h"

#include <stdlib.h>

#include "base/log.h"
#include "relay/intake/sessions.h"
#include "relay/intake/transaction.h"

#define LOOP_US_MAX 1000 /* what a loop may be kept from its other sessions */

/* One message at a helper, which has the transaction's `signing` for itself meanwhile. */
struct seal {
	struct mail_item item;
	struct transaction *tx;
	struct mailbox *reply_to;
	struct buf out;
	enum err result;
	struct err_detail why;
};

void seal_begin(struct transaction *tx)
{
	const struct conf_tenant *tenant = tx->tenant;

	if (tenant != NULL)
		tx->signing = signing_begin(keyring_of(tx->conf), tenant->domains, tenant->domain_count);
}

static void log_unsigned(const struct transaction *tx, const char *why)
{
	struct log_line line;
	char id[MSG_ID_TEXT];

	log_begin(&line, LOG_WARN, "unsigned");
	log_str(&line, "id", msg_id_format(tx->id, id));
	log_str(&line, "tenant", tx->tenant->name);
	log_str(&line, "sender", tx->strings.data + tx->sender);
	log_str(&line, "reason", why);
	log_end(&line);
}

/* Signatures go above the Received field: should the message begin with a line that continues a field, it continues that one, which is not
 * signed. Takes `out`. */
static void use(struct transaction *tx, enum err result, struct buf *out, struct err_detail *why)
{
	struct buf *own = &tx->content.own;
	bool made = out->len > 0;

	if (result == OK && buf_add(out, own->data, own->len) != OK)
		result = err_set(why, ERR_LIMIT, "no room for the signatures");
	if (result == OK) {
		if (made)
			tx->flags |= MSG_SIGNED;
		buf_fini(own);
		*own = *out;
		return;
	}
	log_unsigned(tx, why->text);
	buf_fini(out);
}

static void on_signed(struct mail_item *item)
{
	struct seal *seal = CONTAINER_OF(item, struct seal, item);
	struct transaction *tx = seal->tx;

	use(tx, seal->result, &seal->out, &seal->why);
	free(seal);
	tx->content.in_flight--;
	transaction_on_stored(tx);
}

/* Helper thread. */
static void run_seal(struct mail_item *item)
{
	struct seal *seal = CONTAINER_OF(item, struct seal, item);

	seal->result = signing_finish(seal->tx->signing, seal->tx->arrived, &seal->out, &seal->why);
	item->run = on_signed;
	mailbox_post(seal->reply_to, item);
}

static void send_to_helper(struct transaction *tx)
{
	struct intake_env *env = tx->intake->env;
	struct seal *seal = xcalloc(1, sizeof(*seal));

	seal->item.run = run_seal;
	seal->tx = tx;
	seal->reply_to = loop_mailbox(env->loop);
	buf_init(&seal->out, QUEUE_CHUNK);
	tx->content.in_flight++;
	mailbox_post(env->helpers, &seal->item);
}

void seal_sign(struct transaction *tx)
{
	struct err_detail why = { .text = "" };
	struct buf out;

	if (tx->signing == NULL)
		return;
	if (signing_cost_us(tx->signing) > LOOP_US_MAX) {
		send_to_helper(tx);
		return;
	}
	buf_init(&out, QUEUE_CHUNK);
	use(tx, signing_finish(tx->signing, tx->arrived, &out, &why), &out, &why);
}
