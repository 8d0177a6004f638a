/* tests/fuzz/fuzz_lane.c - fuzz target for stored states of cold lanes, their finished days, daily curves, and memos of sources: what decodes is
 * sound and is written again as it was. */
#include <string.h>

#include "relay/deliver/dispatch.h"
#include "sched/curve.h"
#include "sched/sched.h"
#include "sched/warmup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_state(const uint8_t *data, size_t size)
{
	static const struct warmup_plan plan = { .adapt = true, .start = 50, .growth = 2, .explore = 20, .ceiling = 1000000, .idle_days = 30 };
	const wall_ms local = 1700000000000;
	uint8_t first[WARMUP_ENCODED_MAX], second[WARMUP_ENCODED_MAX];
	struct warmup w, again;
	wall_ms when;
	size_t len;

	if (warmup_decode(data, size, &w) != OK)
		return;
	len = warmup_encode(&w, first);
	must(warmup_decode(first, len, &again) == OK && warmup_encode(&again, second) == len && memcmp(first, second, len) == 0);
	warmup_tick(&w, &plan, local);
	must(warmup_may(&w, &plan, 10, 0, local, &when) <= 10);
	(void)warmup_obstacle(&w, local);
}

static void check_curve(const uint8_t *data, size_t size)
{
	uint8_t again[CURVE_ENCODED_LEN];
	double shares[CURVE_HOURS], whole;
	struct curve_line line;
	struct curve curve;

	if (curve_decode(data, size, &curve) != OK)
		return;
	curve_encode(&curve, again);
	must(size == sizeof(again) && memcmp(again, data, size) == 0);
	(void)curve_note(&curve, UINT32_MAX, 1700000000000);
	(void)curve_note(&curve, 1, 1700000000000 + DAYS(1));
	curve_blend(&curve, NULL, shares);
	curve_draw(shares, &line);
	whole = curve_over(&line, 1700000000000, DAYS(1) - 1);
	must(whole > 0.9 && whole < 1.1 && curve_at(&line, 1700000000000) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[SCHED_WARM_DAY_LEN];
	struct sched_warm_day day = { 0 };
	struct sched_retire retire;

	check_curve(data, size);
	check_state(data, size);
	if (sched_warm_day_decode(data, size, &day) == OK) {
		sched_warm_day_encode(&day, again);
		must(size == sizeof(again) && memcmp(again, data, size) == 0);
	}
	if (service_memo_retires(data, size, &retire))
		must(retire.since < retire.until && strlen(retire.into) < sizeof(retire.into) && !service_memo_read(data, size));
	return 0;
}
