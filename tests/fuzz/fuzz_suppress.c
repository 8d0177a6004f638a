/* tests/fuzz/fuzz_suppress.c - fuzz target for stored rows of suppressed addresses and of alerts: what decodes is sound.
 *
 * The first byte is the length of the key; an alert is read from the same bytes. */
#include <string.h>

#include "queue/suppress_row.h"
#include "relay/notify/alert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_alert(void *arg, const struct alert *alert)
{
	uint8_t again[ALERT_RECORD_MAX];

	(void)arg;
	must(alert->kind < ALERT_KINDS && alert_encode(alert, again) <= sizeof(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[SUPPRESS_KEY_MAX + 1], reason[SUPPRESS_REASON_MAX + 1];
	struct alerts *alerts = alerts_create();
	struct suppress_entry entry;
	size_t key_len = size > 0 ? data[0] : 0;

	if (size > key_len + 1 && suppress_decode(data + 1, key_len, data + 1 + key_len, size - 1 - key_len, key, reason, &entry)) {
		must(entry.strikes <= SUPPRESS_STRIKES && entry.address[0] != '\0' && strlen(entry.reason) <= SUPPRESS_REASON_MAX);
		(void)suppress_counts(&entry, 1700000000000, DAYS(30));
	}
	if (alerts_restore(alerts, data, size, 0))
		alerts_walk(alerts, check_alert, NULL);
	alerts_destroy(&alerts);
	return 0;
}
