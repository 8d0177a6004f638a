/* tests/fuzz/fuzz_lane.c - fuzz target for stored states of cold lanes, their finished days, and memos of sources: what decodes is sound and is
 * written again as it was. */
#include <string.h>

#include "relay/deliver/dispatch.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[SCHED_WARM_DAY_LEN];
	struct sched_warm_day day = { 0 };
	struct sched_retire retire;

	check_state(data, size);
	if (sched_warm_day_decode(data, size, &day) == OK) {
		sched_warm_day_encode(&day, again);
		must(size == sizeof(again) && memcmp(again, data, size) == 0);
	}
	if (service_memo_retires(data, size, &retire))
		must(retire.since < retire.until && strlen(retire.into) < sizeof(retire.into) && !service_memo_read(data, size));
	return 0;
}
