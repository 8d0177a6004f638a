/* tests/fuzz/fuzz_learned.c - fuzz target for the stored rows of what is learned: rows of lanes, destinations, pauses, sender domains
 * and ten minutes of figures.
 *
 * The first byte chooses the kind, the rest is the row. What decodes is written back as it was read; whatever is given back to a scheduler, it
 * goes on deciding, and what it would store again can be read. */
#include <string.h>

#include "relay/deliver/senders.h"
#include "sched/learned.h"
#include "sched/sched.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1772352000000)

static const char config[] =
    "hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\n"
    "tenants: [{name: shop, from: [10.1.0.0/16], pool: main}]\n"
    "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.3}]\npools: [{name: main, sources: [a, b]}]\n";

static void fuzz_lane(const uint8_t *data, size_t len)
{
	uint8_t again[LEARNED_MAX];
	struct learned_lane lane;

	if (learned_decode_lane(data, len, &lane) == OK)
		must(learned_encode_lane(&lane, again) == len && memcmp(again, data, len) == 0);
}

static void fuzz_dest(const uint8_t *data, size_t len)
{
	uint8_t again[LEARNED_MAX];
	struct learned_dest dest;

	if (learned_decode_dest(data, len, &dest) == OK)
		must(learned_encode_dest(&dest, again) == len && memcmp(again, data, len) == 0);
}

static void fuzz_sender(const uint8_t *data, size_t len)
{
	struct senders *senders = senders_create();
	uint8_t row[SENDERS_ROW], again[SENDERS_ROW];

	if (senders_restore(senders, "mx.example.net", "shop.example", data, len, NOW) == OK) {
		size_t stored = senders_encode(senders, "mx.example.net", "shop.example", row);

		must(stored == 0 || stored == SENDERS_ROW);
		(void)senders_turn(senders, "mx.example.net", "shop.example", NOW);
		(void)senders_throttled(senders, "mx.example.net", "shop.example", 0, NOW);
		must(senders_encode(senders, "mx.example.net", "shop.example", again) == SENDERS_ROW);
		must(senders_restore(senders, "mx.example.net", "shop.example", again, sizeof(again), NOW) == OK);
	}
	senders_destroy(&senders);
}

static void fuzz_ledger(const uint8_t *data, size_t len)
{
	struct ledger ledger = { 0 };
	uint8_t again[LEDGER_ROW];
	uint32_t place;

	if (ledger_give(&ledger, data, len, NOW) != OK)
		return;
	ledger_note(&ledger, &(struct ledger_bucket){ 0 }, NOW);
	(void)ledger_of(&ledger, HOURS(24), NOW);
	must(ledger_take(&ledger, &place, again) && place < LEDGER_BUCKETS && !ledger_take(&ledger, &place, again));
	must(ledger_give(&ledger, again, sizeof(again), NOW) == OK);
}

static void ignore_line(void *arg, const char *line) {}
static void ignore_lane(void *arg, const struct sched_lane_view *view) {}

/* A job to the destination that the row is of, and what is said of it. */
static void go_on(struct sched *sched)
{
	static const char *const hosts[] = { "mx.example.net" };
	struct sched_job job = { .id = ((uint64_t)NOW << 20) + 1, .rcpts = 1, .domain = "example.net", .tenant = "shop", .pool = "main",
		.due = NOW, .deadline = NOW + DAYS(5) };
	struct sched_decision d;
	wall_ms now = NOW;

	must(sched_add(sched, &job, now));
	for (int i = 0; i < 20; i++) {
		sched_next(sched, now, &d);
		if (d.kind == SCHED_RESOLVE)
			sched_resolved(sched, d.domain, 7, hosts, 1, 3, NOW + DAYS(9), now);
		else if (d.kind == SCHED_NOTHING && d.when > now && d.when < NOW + DAYS(4))
			now = d.when;
		else if (d.kind != SCHED_START)
			break;
		if (d.kind != SCHED_START)
			continue;
		(void)sched_done(sched, &(struct sched_result){ .id = d.id, .first = d.first, .lane = d.lane, .attempted = true, .rcpts_left = 1,
		    .throttled = 1, .scope = SCOPE_LANE, .judged = true, .class = CLASS_THROTTLE, .action = ACTION_SLOW }, now);
		sched_settled(sched, d.id, d.first, now);
		sched_release_connection(sched, d.lane, now);
	}
	(void)!sched_explain(sched, "a", now, ignore_line, NULL);
	(void)!sched_explain(sched, "mx.example.net", now, ignore_line, NULL);
	sched_lanes_read(sched, now, ignore_lane, NULL);
	sched_verify(sched);
}

static void fuzz_restore(const char *key, const uint8_t *data, size_t len)
{
	static struct conf *conf;
	struct sched *sched;
	struct sched_learned row;

	if (!conf) {
		struct conf_faults faults = { 0 };

		conf = conf_load_text("fuzz.yaml", config, strlen(config), &faults);
		must(conf);
		conf_faults_free(&faults);
	}
	sched = sched_create(conf, 1);
	(void)!sched_learned_restore(sched, key, data, len, NOW);
	go_on(sched);
	while (sched_learned_next(sched, &row)) {
		struct sched *other = sched_create(conf, 1);

		must(row.len <= SCHED_LEARNED_MAX);
		must(row.len == 0 || sched_learned_restore(other, row.key, row.data, row.len, NOW) == OK);
		sched_destroy(&other);
	}
	sched_destroy(&sched);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "l a h:mx.example.net", "d h:mx.example.net", "t shop", "s a" };

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'L':
		fuzz_lane(data + 1, size - 1);
		break;
	case 'D':
		fuzz_dest(data + 1, size - 1);
		break;
	case 'B':
		fuzz_ledger(data + 1, size - 1);
		break;
	case 'S':
		fuzz_sender(data + 1, size - 1);
		break;
	default:
		fuzz_restore(keys[data[0] % ARRAY_LEN(keys)], data + 1, size - 1);
	}
	return 0;
}
