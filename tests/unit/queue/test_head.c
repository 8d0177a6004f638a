/* tests/unit/queue/test_head.c - bodies whose first chunk is short, because it is written last. */
#include "tests/unit/queue/store.h"

#define ALL_JOBS UINT32_MAX
#define HEAD     700

static const char *const one[] = { "to@example.com", NULL };

/* A body of `size` bytes in a short chunk and full ones behind it; the first `streamed` of these are stored at once. */
static void mail_with_head(struct store *s, struct store_mail *m, size_t size, uint32_t streamed)
{
	struct queue_accept *accept = &m->accept;
	size_t count = 0;

	store_mail_init(m, queue_new_id(s->queue), size, one);
	for (size_t at = HEAD; at < size; at += QUEUE_CHUNK)
		m->blobs[++count] = (struct queue_blob){ m->body + at, size - at < QUEUE_CHUNK ? size - at : QUEUE_CHUNK };
	m->blobs[0] = (struct queue_blob){ m->body, HEAD };
	accept->message.chunks = (uint32_t)count + 1;
	accept->blob_count = count + 1;
	if (streamed == 0)
		return;
	for (uint32_t n = 1; n <= streamed; n++) {
		struct queue_chunk chunk = { .id = accept->message.id, .n = n, .blob = m->blobs[n] };

		assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	}
	accept->head = m->blobs[0];
	accept->first_blob = streamed + 1;
	accept->blobs = m->blobs + streamed + 1;
	accept->blob_count = count - streamed;
}

static void assert_stored(struct store *s, const struct store_mail *m, size_t size)
{
	static char chunk[QUEUE_CHUNK];
	struct queue_job *job;
	size_t at = 0, len;

	assert_int_equal(queue_job_load(s->reader, m->accept.message.id, ALL_JOBS, &job, NULL), OK);
	assert_int_equal(job->message.chunks, m->accept.message.chunks);
	for (uint32_t n = 0; n < job->message.chunks; n++, at += len) {
		assert_int_equal(queue_body_read(s->reader, job->message.id, n, chunk, &len, NULL), OK);
		assert_memory_equal(chunk, m->body + at, len);
	}
	assert_int_equal(at, size);
	free(job);
	assert_int_equal(store_check(s).messages, 1);
}

static void a_short_first_chunk_is_kept_whether_the_rest_was_streamed_or_not(void **state)
{
	static const struct {
		const char *label;
		size_t size;
		uint32_t streamed;
	} rows[] = {
		{ "all at once, one chunk more than needed", HEAD + 2 * QUEUE_CHUNK, 0 },
		{ "all at once, no chunk more", HEAD + QUEUE_CHUNK + 10, 0 },
		{ "all but the last streamed", HEAD + 3 * QUEUE_CHUNK + 10, 3 },
		{ "all streamed, nothing but the head left", HEAD + 2 * QUEUE_CHUNK, 2 },
	};
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };
		struct store_mail m;

		mail_with_head(s, &m, rows[i].size, rows[i].streamed);
		if (store_do(s, QUEUE_ACCEPT, &m.accept.req) != OK)
			fail_msg("%s: %s", rows[i].label, m.accept.req.why);
		assert_stored(s, &m, rows[i].size);
		store_reopen(s);
		assert_stored(s, &m, rows[i].size);
		assert_int_equal(store_settle(s, m.accept.message.id, 0, &item, 1), OK);
		assert_int_equal(store_check(s).chunks, 0);
		free(m.body);
	}
}

static void a_head_that_does_not_fit_is_refused(void **state)
{
	static const struct {
		const char *label;
		uint32_t streamed; /* of three */
		int first_blob, size;
	} rows[] = {
		{ "a chunk too few is stored", 2, 1, 0 },
		{ "a chunk too many is stored", 3, -1, 0 },
		{ "another size", 3, 0, 1 },
	};
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_mail m;

		mail_with_head(s, &m, HEAD + 4 * QUEUE_CHUNK, rows[i].streamed);
		m.accept.first_blob += (uint32_t)rows[i].first_blob;
		m.accept.blobs += rows[i].first_blob;
		m.accept.blob_count -= (size_t)rows[i].first_blob;
		m.accept.message.size_bytes += (uint64_t)rows[i].size;
		if (store_do(s, QUEUE_ACCEPT, &m.accept.req) != ERR_INVALID)
			fail_msg("%s: %s", rows[i].label, err_name(m.accept.req.result));
		free(m.body);
	}
	assert_int_equal(store_check(s).messages, 0);
}

static void a_head_in_place_of_a_stored_chunk_is_refused(void **state)
{
	struct store *s = *state;
	struct store_mail m;
	struct queue_chunk chunk;

	mail_with_head(s, &m, HEAD + 2 * QUEUE_CHUNK, 1);
	chunk = (struct queue_chunk){ .id = m.accept.message.id, .n = 0, .blob = m.accept.head };
	assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), ERR_INVALID);
	assert_int_equal(store_check(s).messages, 0);
	free(m.body);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_short_first_chunk_is_kept_whether_the_rest_was_streamed_or_not, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_head_that_does_not_fit_is_refused, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_head_in_place_of_a_stored_chunk_is_refused, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
