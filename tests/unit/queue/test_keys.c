/* tests/unit/queue/test_keys.c - keys that clients give their messages: for a day the same message is accepted once. */
#include "tests/unit/queue/store.h"

#include "queue/keys.h"

static const char *const one[] = { "ann@example.com", NULL };

/* Hand in a message; *earlier_out: what the store says of its key. */
static enum err hand_in(struct store *s, const char *tenant, const char *key, uint64_t fingerprint, wall_ms arrived, msg_id *id_out,
    msg_id *earlier_out)
{
	static msg_id counter;
	struct store_mail m;
	enum err err;

	*id_out = (msg_id)arrived << 20 | ++counter;
	store_mail_init(&m, *id_out, 100, one);
	m.accept.message.tenant = tenant;
	m.accept.message.arrived = arrived;
	m.accept.message.deadline = arrived + DAYS(5);
	m.accept.key = key;
	m.accept.fingerprint = fingerprint;
	err = store_do(s, QUEUE_ACCEPT, &m.accept.req);
	*earlier_out = m.accept.earlier;
	free(m.body);
	return err;
}

static void the_second_of_a_key_is_told_the_first(void **state)
{
	struct store *s = *state;
	wall_ms now = clock_wall();
	msg_id first, id, earlier;
	struct queue_check_totals totals;

	assert_int_equal(hand_in(s, "shop", "k1", 7, now, &first, &earlier), OK);
	assert_int_equal(hand_in(s, "shop", "k1", 7, now + 1, &id, &earlier), ERR_EXISTS);
	assert_int_equal(earlier, first);
	store_reopen(s);
	assert_int_equal(hand_in(s, "shop", "k1", 7, now + 2, &id, &earlier), ERR_EXISTS);
	assert_int_equal(earlier, first);
	totals = store_check(s);
	assert_int_equal(totals.messages, 1);
	assert_int_equal(totals.chunks, 1);
}

static void a_key_is_of_one_tenant_and_one_message(void **state)
{
	static const struct {
		const char *label, *tenant, *key;
		uint64_t fingerprint;
		enum err want;
		bool told;
	} rows[] = {
		{ "the same again", "shop", "k1", 7, ERR_EXISTS, true },
		{ "another message", "shop", "k1", 8, ERR_EXISTS, false },
		{ "another key", "shop", "k2", 7, OK, false },
		{ "another tenant", "blog", "k1", 7, OK, false },
		{ "no key", "shop", "", 7, OK, false },
		{ "no key again", "shop", "", 7, OK, false },
		{ "no key at all", "shop", NULL, 7, OK, false },
	};
	struct store *s = *state;
	wall_ms now = clock_wall();
	msg_id first, id, earlier;

	assert_int_equal(hand_in(s, "shop", "k1", 7, now, &first, &earlier), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum err err = hand_in(s, rows[i].tenant, rows[i].key, rows[i].fingerprint, now, &id, &earlier);

		if (err != rows[i].want || (earlier == first) != rows[i].told)
			fail_msg("%s: %s, earlier %llu", rows[i].label, err_name(err), (unsigned long long)earlier);
	}
}

static size_t meta_rows(struct store *s, const char *prefix)
{
	struct txn_env env;
	struct txn txn;
	MDB_val key, value;
	struct err_detail why;
	size_t count = 0;
	int rc;

	queue_reader_close(&s->reader);
	queue_close(&s->queue);
	assert_int_equal(txn_env_open(&env, s->dir, true, &why), OK);
	assert_int_equal(txn_begin(&txn, &env, false), 0);
	for (rc = txn_meta_seek(&txn, prefix, &key, &value);
	     rc == 0 && key.mv_size > strlen(prefix) && memcmp(key.mv_data, prefix, strlen(prefix)) == 0; rc = txn_meta_next(&txn, &key, &value))
		count++;
	txn_abort(&txn);
	txn_env_close(&env);
	store_open(s);
	return count;
}

static void keys_are_forgotten_after_a_day(void **state)
{
	struct store *s = *state;
	wall_ms now = clock_wall() - DAYS(3);
	msg_id first, id, earlier;
	char key[20];

	assert_int_equal(hand_in(s, "shop", "k", 7, now, &first, &earlier), OK);
	assert_int_equal(hand_in(s, "shop", "k", 7, now + QUEUE_KEY_MS - 1, &id, &earlier), ERR_EXISTS);
	assert_int_equal(hand_in(s, "shop", "k", 7, now + QUEUE_KEY_MS, &id, &earlier), OK);
	assert_int_equal(hand_in(s, "shop", "k", 7, now + QUEUE_KEY_MS + 1, &id, &earlier), ERR_EXISTS);
	for (int i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "a%d", i);
		assert_int_equal(hand_in(s, "shop", key, 7, now + QUEUE_KEY_MS, &id, &earlier), OK);
	}
	assert_int_equal(meta_rows(s, "key/"), 11);
	assert_int_equal(meta_rows(s, "keytime/"), 11);
	/* A day later each new key takes two old ones away. */
	for (int i = 0; i < 8; i++) {
		(void)snprintf(key, sizeof(key), "b%d", i);
		assert_int_equal(hand_in(s, "shop", key, 7, now + 2 * QUEUE_KEY_MS + 1, &id, &earlier), OK);
	}
	assert_int_equal(meta_rows(s, "key/"), 8);
	assert_int_equal(meta_rows(s, "keytime/"), 8);
}

static void a_key_that_is_too_long_is_refused(void **state)
{
	struct store *s = *state;
	char key[QUEUE_KEY_MAX + 2];
	msg_id id, earlier;

	memset(key, 'k', sizeof(key));
	key[QUEUE_KEY_MAX + 1] = '\0';
	assert_int_equal(hand_in(s, "shop", key, 7, clock_wall(), &id, &earlier), ERR_LIMIT);
	key[QUEUE_KEY_MAX] = '\0';
	assert_int_equal(hand_in(s, "shop", key, 7, clock_wall(), &id, &earlier), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_second_of_a_key_is_told_the_first, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_key_is_of_one_tenant_and_one_message, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(keys_are_forgotten_after_a_day, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_key_that_is_too_long_is_refused, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
