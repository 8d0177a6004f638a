/* tests/unit/sched/test_blocked.c - refusals for reasons of ours, drained sources, weights, and pauses by class. */
#include "tests/unit/sched/sched_test.h"

#define ONE \
	LISTEN "tenants: [{name: shop, from: [10.1.0.0/16], pool: main}]\nsources: [{name: a, ip: 127.0.0.2}]\n" \
	       "pools: [{name: main, sources: [a]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define THREE \
	LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.3}, {name: c, ip: 127.0.0.4}]\n" \
	       "pools: [{name: main, sources: [a, b, c]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"

/* 5xx about the address at the whole lane. */
static struct sched_result refusal(const struct sched_decision *d)
{
	return (struct sched_result){ .attempted = true, .rcpts_left = d->rcpts, .blocked = d->rcpts, .barred = true,
		.scope = SCOPE_LANE, .judged = true, .class = CLASS_REPUTATION_BLOCK, .action = ACTION_CLOSE_LANE };
}

static wall_ms refuse(struct world *w, const struct sched_decision *d)
{
	struct sched_result result = refusal(d);

	return world_end(w, d, &result);
}

static struct sched_view view_of(struct world *w, uint64_t id)
{
	struct sched_view view;

	assert_true(sched_find(w->sched, id, 0, w->now, &view));
	return view;
}

static void total(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms again)
{
	if (destination[0] == '\0')
		*(struct sched_counts *)arg = *counts;
}

static struct sched_counts counts_of(struct world *w)
{
	struct sched_counts counts = { 0 };

	sched_counts_read(w->sched, w->now, total, &counts);
	return counts;
}

/* Refused once by the only source. */
static uint64_t blocked_job(struct world *w)
{
	uint64_t id = world_add(w, "one.example");
	struct sched_decision d = world_start(w);

	refuse(w, &d);
	assert_true(sched_is_blocked(w->sched, id, 0));
	return id;
}

static void a_refusal_takes_one_other_source_at_once_and_no_third(void **state)
{
	struct world w;
	struct sched_decision d;
	char first, second;
	uint64_t id;

	world_open(&w, THREE);
	id = world_add(&w, "one.example");
	d = world_start(&w);
	first = d.source[0];
	assert_int_equal(refuse(&w, &d), w.now);
	assert_false(sched_is_blocked(w.sched, id, 0));
	d = world_start(&w);
	second = d.source[0];
	assert_true(second != first);
	refuse(&w, &d);
	assert_int_equal(view_of(&w, id).state, JOB_BLOCKED);
	assert_int_equal(counts_of(&w).blocked, 1);
	world_nothing(&w); /* the third is healthy all the same */
	/* Other mail goes through the third. */
	world_add(&w, "one.example");
	d = world_start(&w);
	assert_true(d.source[0] != first && d.source[0] != second);
	world_deliver(&w, &d);
	world_close(&w);
}

/* One of three is refused for reasons of ours, one put off, one delivered. */
static struct sched_result mixed_result(const struct sched_decision *d)
{
	return (struct sched_result){ .id = d->id, .first = d->first, .lane = d->lane, .attempted = true, .rcpts_left = 2, .delivered = 1,
		.deferred = 1, .blocked = 1, .judged = true, .class = CLASS_REPUTATION_BLOCK, .action = ACTION_CLOSE_LANE, .scope = SCOPE_RECIPIENT,
		.mixed = true, .put_off = { .judged = true, .class = CLASS_MAILBOX_FULL, .action = ACTION_RETRY, .scope = SCOPE_RECIPIENT },
		.barred_by = { .judged = true, .class = CLASS_REPUTATION_BLOCK, .action = ACTION_CLOSE_LANE, .scope = SCOPE_RECIPIENT } };
}

static void of_a_mixed_answer_those_put_off_wait_and_the_others_take_their_own_way(void **state)
{
	static const struct {
		const char *label, *conf;
		bool had_moved, moves;
	} rows[] = {
		{ "one other source at once", THREE, false, true },
		{ "no third", THREE, true, false },
		{ "there is no other", ONE, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		struct sched_result result;
		struct sched_apart apart;
		struct sched_job job;
		wall_ms due;

		world_open(&w, rows[i].conf);
		job = world_job(&w, "one.example");
		job.rcpts = 3;
		job.moved = rows[i].had_moved;
		assert_true(sched_add(w.sched, &job, w.now));
		d = world_start(&w);
		result = mixed_result(&d);
		due = sched_done(w.sched, &result, w.now);
		sched_apart(w.sched, &result, w.now, &apart);
		if (due <= w.now || sched_is_blocked(w.sched, d.id, d.first))
			fail_msg("%s: those put off are due at once, or blocked", rows[i].label);
		if (apart.blocked == rows[i].moves || (apart.due == w.now) != rows[i].moves)
			fail_msg("%s: blocked %d, due in %lld ms", rows[i].label, apart.blocked, (long long)(apart.due - w.now));
		assert_int_equal(apart.moved, rows[i].moves || rows[i].had_moved);
		assert_int_equal(view_of(&w, d.id).attempts, 1);
		sched_settled(w.sched, d.id, d.first, w.now);
		sched_release_connection(w.sched, d.lane, w.now);
		assert_int_equal(view_of(&w, d.id).state, JOB_DEFERRED);
		world_close(&w);
	}
}

static void who_has_had_the_other_source_before_a_restart_takes_no_third(void **state)
{
	static const bool moved[] = { false, true };

	for (size_t i = 0; i < ARRAY_LEN(moved); i++) {
		struct world w;
		struct sched_decision d;
		struct sched_job job;

		world_open(&w, THREE);
		job = world_job(&w, "one.example");
		job.attempts = 1;
		job.moved = moved[i];
		assert_true(sched_add(w.sched, &job, w.now));
		assert_int_equal(sched_has_moved(w.sched, job.id, 0), moved[i]);
		d = world_start(&w);
		refuse(&w, &d);
		assert_true(sched_has_moved(w.sched, job.id, 0));
		assert_int_equal(sched_is_blocked(w.sched, job.id, 0), moved[i]);
		assert_int_equal(world_next(&w).kind == SCHED_START, !moved[i]);
		assert_int_equal(sched_retry(w.sched, job.id, 0, w.now), moved[i] ? OK : ERR_BUSY);
		assert_int_equal(sched_has_moved(w.sched, job.id, 0), !moved[i]);
		world_close(&w);
	}
}

static void blocked_mail_is_tried_by_the_source_that_was_refused_when_its_lane_opens(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;
	uint64_t id;
	char last;

	world_open(&w, THREE);
	id = world_add(&w, "one.example");
	d = world_start(&w);
	refuse(&w, &d);
	d = world_start(&w);
	last = d.source[0];
	refuse(&w, &d);
	view = view_of(&w, id);
	assert_true(view.reasons & WHY_BLOCKED);
	assert_in_range(view.due, w.now + MINUTES(4), w.now + MINUTES(7));
	w.now = view.due;
	d = world_start(&w);
	assert_int_equal(d.source[0], last);
	world_deliver(&w, &d);
	assert_int_equal(counts_of(&w).blocked, 0);
	world_close(&w);
}

static void one_job_goes_ahead_and_the_others_follow_what_it_hears(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned probes = 0, delivered = 0;
	wall_ms end;

	world_open(&w, ONE);
	for (int i = 0; i < 200; i++) {
		struct sched_job job = world_job(&w, "one.example");

		/* As read back from the store. */
		job.blocked = i > 0;
		job.source = "a";
		job.attempts = i > 0;
		job.due = i > 0 ? w.now + MINUTES(1) : w.now;
		assert_true(sched_add(w.sched, &job, w.now));
	}
	assert_int_equal(counts_of(&w).blocked, 199);
	end = w.now + HOURS(12);
	while (w.now < end) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			probes++;
			world_nothing(&w); /* one at a time */
			refuse(&w, &d);
		} else {
			assert_true(d.when > w.now);
			w.now = d.when;
		}
		sched_verify(w.sched);
	}
	assert_in_range(probes, 5, 10); /* 5m, 10m, 20m ... */
	assert_int_equal(counts_of(&w).blocked, 200);
	for (end = w.now + HOURS(5); w.now < end && delivered < 200;) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			delivered++;
			world_deliver(&w, &d);
		} else {
			w.now = d.when;
		}
	}
	assert_int_equal(delivered, 200);
	world_close(&w);
}

static void blocked_mail_expires_at_its_deadline(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, ONE);
	id = blocked_job(&w);
	w.now = view_of(&w, id).deadline;
	d = world_next(&w);
	assert_int_equal(d.kind, SCHED_EXPIRE);
	assert_int_equal(d.id, id);
	world_settle(&w, &d, &(struct sched_result){ .attempted = true });
	world_close(&w);
}

static void a_senders_own_fault_blocks_its_job_and_no_lane(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, BASICS);
	id = world_add(&w, "one.example");
	d = world_start(&w);
	world_end(&w, &d,
	    &(struct sched_result){ .attempted = true, .rcpts_left = 1, .blocked = 1, .barred = true, .scope = SCOPE_MESSAGE,
		.judged = true, .class = CLASS_AUTH_POLICY, .action = ACTION_HOLD });
	assert_int_equal(view_of(&w, id).state, JOB_BLOCKED);
	assert_true(view_of(&w, id).due >= w.now + MINUTES(20));
	for (int i = 0; i < 2; i++) {
		world_add(&w, "one.example");
		d = world_start(&w); /* both sources are as good as before */
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void content_never_changes_its_source(void **state)
{
	static const struct {
		const char *label;
		enum replies_class class;
		enum replies_action action;
	} rows[] = {
		{ "content", CLASS_CONTENT, ACTION_CLOSE_LANE },
		{ "complaint", CLASS_COMPLAINT_POLICY, ACTION_OTHER_SOURCE },
		{ "held by a rule", CLASS_OTHER, ACTION_HOLD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		struct sched_result result;
		uint64_t id;

		world_open(&w, THREE);
		id = world_add(&w, "one.example");
		d = world_start(&w);
		result = refusal(&d);
		result.class = rows[i].class;
		result.action = rows[i].action;
		world_end(&w, &d, &result);
		if (!sched_is_blocked(w.sched, id, 0))
			fail_msg("%s: not blocked", rows[i].label);
		world_nothing(&w);
		world_close(&w);
	}
}

static void retry_by_hand_tries_blocked_mail_at_once(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, ONE);
	id = blocked_job(&w);
	world_nothing(&w);
	assert_int_equal(sched_retry(w.sched, id, 0, w.now), OK);
	d = world_start(&w);
	assert_int_equal(d.id, id);
	world_deliver(&w, &d);
	world_close(&w);
}

static void a_source_taken_back_into_service_brings_its_blocked_mail(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned delivered = 0;

	world_open(&w, ONE);
	blocked_job(&w);
	for (int i = 0; i < 50; i++) {
		struct sched_job job = world_job(&w, "one.example");

		job.blocked = true;
		job.source = "a";
		job.attempts = 1;
		job.due = w.now + HOURS(3);
		assert_true(sched_add(w.sched, &job, w.now));
	}
	world_nothing(&w);
	assert_true(sched_drain_source(w.sched, "a", false, w.now));
	while ((d = world_next(&w)).kind == SCHED_START) {
		world_deliver(&w, &d);
		delivered++;
	}
	assert_int_equal(delivered, 51);
	world_close(&w);
}

static void a_drained_source_starts_nothing_and_its_mail_takes_the_others(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;
	char last;

	world_open(&w, BASICS);
	assert_false(sched_drain_source(w.sched, "nobody", true, w.now));
	id = world_add(&w, "one.example");
	d = world_start(&w);
	refuse(&w, &d);
	d = world_start(&w);
	last = d.source[0];
	refuse(&w, &d);
	assert_true(sched_is_blocked(w.sched, id, 0));
	/* The one that was refused first is mended; the job is bound to the other. */
	assert_true(sched_drain_source(w.sched, last == 'a' ? "b" : "a", false, w.now));
	world_nothing(&w);
	assert_true(sched_drain_source(w.sched, last == 'a' ? "a" : "b", true, w.now));
	d = world_start(&w);
	assert_int_equal(d.id, id);
	assert_true(d.source[0] != last);
	world_deliver(&w, &d);
	for (int i = 0; i < 4; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		assert_true(d.source[0] != last);
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void a_pool_whose_only_source_is_drained_says_so(void **state)
{
	struct world w;
	uint64_t id;

	world_open(&w, ONE);
	assert_true(sched_drain_source(w.sched, "a", true, w.now));
	id = world_add(&w, "one.example");
	world_nothing(&w);
	assert_int_equal(world_reasons(&w, id, NULL), WHY_SOURCE_DRAINED);
	assert_true(sched_drain_source(w.sched, "a", false, w.now));
	world_start(&w);
	world_close(&w);
}

static void a_lane_that_was_throttled_leaves_the_job_to_another_source(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms due;
	char first;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	first = d.source[0];
	due = world_end(&w, &d,
	    &(struct sched_result){ .attempted = true, .rcpts_left = 1, .throttled = 1, .scope = SCOPE_LANE, .judged = true,
		.class = CLASS_THROTTLE, .action = ACTION_SLOW });
	w.now = due;
	d = world_start(&w);
	assert_true(d.source[0] != first);
	world_close(&w);
}

static void greylisted_mail_comes_back_from_its_source(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w, THREE);
	for (int i = 0; i < 9; i++) {
		uint64_t id = world_add(&w, "one.example");
		char source;

		d = world_start(&w);
		source = d.source[0];
		w.now = world_end(&w, &d,
		    &(struct sched_result){ .attempted = true, .rcpts_left = 1, .deferred = 1, .scope = SCOPE_MESSAGE,
			.judged = true, .class = CLASS_GREYLIST, .action = ACTION_RETRY });
		d = world_start(&w);
		assert_int_equal(d.id, id);
		assert_int_equal(d.source[0], source);
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void pauses_go_by_class_and_by_provider(void **state)
{
	static const struct {
		const char *label, *domain;
		enum replies_class class;
		int64_t first, tenth; /* at most, and more than half of it */
	} rows[] = {
		{ "greylisting is asked again early", "one.example", CLASS_GREYLIST, MINUTES(6), HOURS(1) },
		{ "a full mailbox late", "one.example", CLASS_MAILBOX_FULL, MINUTES(36), HOURS(4) },
		{ "a system in trouble in the usual way", "one.example", CLASS_TRANSIENT_SYSTEM, MINUTES(6), HOURS(4) },
		{ "a provider with pauses of its own", "big.example", CLASS_TRANSIENT_SYSTEM, MINUTES(24), HOURS(10) },
		{ "a full mailbox at that provider", "big.example", CLASS_MAILBOX_FULL, HOURS(2) + MINUTES(24), HOURS(10) },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		int64_t first = 0, pause = 0;

		world_open(&w, ONE "providers: [{name: big, domains: [big.example], retry: {first: 20m, max: 10h}}]\n");
		world_add(&w, rows[i].domain);
		for (int n = 0; n < 10; n++) {
			d = world_start(&w);
			pause = world_end(&w, &d,
				    &(struct sched_result){ .attempted = true, .rcpts_left = 1, .deferred = 1,
					.scope = SCOPE_RECIPIENT, .judged = true, .class = rows[i].class }) - w.now;
			first = n == 0 ? pause : first;
			w.now += pause;
		}
		if (first > rows[i].first || first < rows[i].first / 2 || pause > rows[i].tenth || pause < rows[i].tenth / 2)
			fail_msg("%s: first %lld, tenth %lld", rows[i].label, (long long)first, (long long)pause);
		world_close(&w);
	}
}

static void nothing_is_due_after_its_deadline(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_job job;

	world_open(&w, ONE);
	job = world_job(&w, "one.example");
	job.deadline = w.now + MINUTES(2);
	assert_true(sched_add(w.sched, &job, w.now));
	d = world_start(&w);
	assert_int_equal(refuse(&w, &d), job.deadline);
	world_close(&w);
}

static void sources_share_the_mail_by_their_weights(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned sent[3] = { 0 }, run = 0, longest = 0;
	char before = 0;

	world_open(&w,
	    LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2, weight: 6}, {name: b, ip: 127.0.0.3, weight: 2}, {name: c, ip: "
			   "127.0.0.4, weight: 4}]\npools: [{name: main, sources: [a, b, c]}]\n");
	for (int i = 0; i < 600; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		sent[d.source[0] - 'a']++;
		run = d.source[0] == before ? run + 1 : 1;
		longest = run > longest ? run : longest;
		before = d.source[0];
		world_deliver(&w, &d);
	}
	assert_int_equal(sent[0], 300);
	assert_int_equal(sent[1], 100);
	assert_int_equal(sent[2], 200);
	assert_true(longest <= 2); /* smoothly */
	world_close(&w);
}

static void a_lane_says_why_it_is_shut(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, ONE);
	blocked_job(&w);
	id = world_add(&w, "one.example");
	world_nothing(&w);
	assert_int_equal(world_reasons(&w, id, NULL), WHY_LANE_BLOCKED);
	d = world_nothing(&w);
	assert_true(d.reasons & WHY_LANE_BLOCKED);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_takes_one_other_source_at_once_and_no_third),
		cmocka_unit_test(of_a_mixed_answer_those_put_off_wait_and_the_others_take_their_own_way),
		cmocka_unit_test(who_has_had_the_other_source_before_a_restart_takes_no_third),
		cmocka_unit_test(blocked_mail_is_tried_by_the_source_that_was_refused_when_its_lane_opens),
		cmocka_unit_test(one_job_goes_ahead_and_the_others_follow_what_it_hears),
		cmocka_unit_test(blocked_mail_expires_at_its_deadline),
		cmocka_unit_test(a_senders_own_fault_blocks_its_job_and_no_lane),
		cmocka_unit_test(content_never_changes_its_source),
		cmocka_unit_test(retry_by_hand_tries_blocked_mail_at_once),
		cmocka_unit_test(a_source_taken_back_into_service_brings_its_blocked_mail),
		cmocka_unit_test(a_drained_source_starts_nothing_and_its_mail_takes_the_others),
		cmocka_unit_test(a_pool_whose_only_source_is_drained_says_so),
		cmocka_unit_test(a_lane_that_was_throttled_leaves_the_job_to_another_source),
		cmocka_unit_test(greylisted_mail_comes_back_from_its_source),
		cmocka_unit_test(pauses_go_by_class_and_by_provider),
		cmocka_unit_test(nothing_is_due_after_its_deadline),
		cmocka_unit_test(sources_share_the_mail_by_their_weights),
		cmocka_unit_test(a_lane_says_why_it_is_shut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
