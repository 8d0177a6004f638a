/* relay/net/resolver_probe.c - whom to believe: can the root's keys be validated through the resolver that we are given?
 *
 * One behind which they cannot be would make every answer bogus. That is found out at the start, and again whenever an answer is bogus, with a fresh
 * context whose cache knows of nothing. Then dns.validate decides: prefer goes on with a context without the root's anchor, require leaves
 * every answer bogus. Both look again, soon at first. No answer at all proves nothing: what a silent resolver would have said is not guessed. */
#include "relay/net/resolver_int.h"

#include "base/log.h"

#define TYPE_NS        2
#define TYPE_DNSKEY    48
#define AGAIN_MS       SECONDS(5) /* twice as long each time */
#define AGAIN_MAX_MS   MINUTES(10)
#define QUIET_MS       MINUTES(1) /* after a doubt that was none: a domain that is bogus for good must not keep us busy */

const char *dns_validation_name(enum dns_validation validation)
{
	static const char *const names[] = {
		[DNS_UNVALIDATED] = "off",
		[DNS_UNPROVEN] = "unproven",
		[DNS_VALIDATED] = "validated",
		[DNS_INVALID] = "invalid",
	};

	return names[validation];
}

enum dns_validation resolver_validation(const struct resolver *resolver)
{
	return resolver->validation;
}

const char *resolver_trouble(const struct resolver *resolver)
{
	if (resolver->validation != DNS_INVALID)
		return NULL;
	if (!resolver->anchors.has_root)
		return "there is no trust anchor of the root (dns-root-data, dns.anchors): mail goes on without DNSSEC, hence without DANE";
	if (resolver->dns.validate == DNS_VALIDATE_REQUIRE)
		return "the root's keys cannot be validated (look at dns.forward, the clock, dns-root-data), and dns.validate is require: mail is deferred until they can";
	return "the root's keys cannot be validated (look at dns.forward, the clock, dns-root-data): mail goes on without DNSSEC, hence without DANE, until they can";
}

void resolver_listen(struct resolver *resolver, void (*fn)(void *arg, enum dns_validation validation), void *arg)
{
	resolver->fn = fn;
	resolver->arg = arg;
}

/* Said once, at the change. */
static void set_validation(struct resolver *resolver, enum dns_validation validation)
{
	enum dns_validation before = resolver->validation;

	if (before == validation)
		return;
	resolver->validation = validation;
	if (validation == DNS_INVALID)
		log_text(LOG_ERROR, "dnssec", "%s", resolver_trouble(resolver));
	else if (before == DNS_INVALID)
		log_text(LOG_INFO, "dnssec", "the root's keys are validated now: DNSSEC is in force");
	if (resolver->fn != NULL)
		resolver->fn(resolver->arg, validation);
}

/* --- asking ------------------------------------------------------------------------------------------------------------------ */

static void probe_over(struct resolver *resolver, enum probe_finding finding)
{
	resolver->probe.finding = finding;
	resolver->probe.step = PROBE_OVER;
	timer_start(&resolver->probe.timer, 0);
}

/* While answers were validated until now, a failure is no proof that they cannot be; a bogus answer is. */
static void on_keys(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct resolver *resolver = arg;

	if (resolver->probe.step != PROBE_KEYS && resolver->probe.step != PROBE_CONTROL)
		return;
	if (rcode == 0 && sec == SEC_SECURE)
		probe_over(resolver, FOUND_VALID);
	else if (rcode != 0 && sec != SEC_BOGUS)
		probe_over(resolver, resolver->validation == DNS_VALIDATED ? FOUND_SILENCE : FOUND_FAILURE);
	else
		probe_over(resolver, FOUND_INVALID);
}

/* It speaks after all. */
static void on_control(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
	struct resolver *resolver = arg;

	if (resolver->probe.step == PROBE_CONTROL)
		probe_over(resolver, FOUND_INVALID);
}

static void ask_keys(struct resolver *resolver, struct ub_ctx *candidate)
{
	resolver->probe.candidate = candidate;
	resolver->probe.step = PROBE_KEYS;
	/* Half of a look-up's time, and a quarter for the control: those that wait for us still have the rest. */
	timer_start(&resolver->probe.timer, resolver->dns.timeout_ms / 2);
	if (ub_resolve_event(candidate, ".", TYPE_DNSKEY, CLASS_IN, resolver, on_keys, NULL) != 0)
		probe_over(resolver, FOUND_INVALID);
}

static struct ub_ctx *new_context(struct resolver *resolver, enum resolver_trust trust)
{
	struct err_detail why;
	struct ub_ctx *ctx = resolver_context_create(loop_base(resolver->loop), &resolver->dns, &resolver->anchors, trust, &why);

	if (ctx == NULL)
		log_text(LOG_ERROR, "dns", "%s", why.text);
	return ctx;
}

/* What stands between us and the root may well drop such answers alone. */
static void ask_control(struct resolver *resolver)
{
	resolver->probe.control = new_context(resolver, RESOLVER_TRUST_NONE);
	resolver->probe.step = PROBE_CONTROL;
	timer_start(&resolver->probe.timer, resolver->dns.timeout_ms / 4);
	if (resolver->probe.control == NULL || ub_resolve_event(resolver->probe.control, ".", TYPE_NS, CLASS_IN, resolver, on_control, NULL) != 0)
		probe_over(resolver, FOUND_SILENCE);
}

/* --- what was found ---------------------------------------------------------------------------------------------------------- */

static void drop(struct ub_ctx **ctx)
{
	if (*ctx != NULL)
		ub_ctx_delete(*ctx);
	*ctx = NULL;
}

static void rest(struct resolver *resolver)
{
	int64_t ms = AGAIN_MS << (resolver->probe.failures < 8 ? resolver->probe.failures++ : 8);

	resolver->probe.step = PROBE_RESTING;
	timer_start(&resolver->probe.timer, ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS);
}

static void use_candidate(struct resolver *resolver)
{
	struct ub_ctx *candidate = resolver->probe.candidate;

	resolver->probe.candidate = NULL;
	resolver_use(resolver, candidate);
}

static void found_valid(struct resolver *resolver)
{
	resolver->probe.failures = 0;
	resolver->probe.blind = false;
	if (resolver->validation == DNS_VALIDATED) {
		resolver->probe.quiet_until = clock_mono() + QUIET_MS;
		return;
	}
	set_validation(resolver, DNS_VALIDATED);
	use_candidate(resolver);
}

static void go_on_without(struct resolver *resolver)
{
	struct ub_ctx *ctx = new_context(resolver, RESOLVER_TRUST_OWN);

	if (ctx != NULL)
		resolver_use(resolver, ctx);
}

static void found_invalid(struct resolver *resolver)
{
	bool already = resolver->validation == DNS_INVALID && resolver->ctx != NULL;

	set_validation(resolver, DNS_INVALID);
	if (resolver->dns.validate == DNS_VALIDATE_PREFER && !already)
		go_on_without(resolver);
	else if (resolver->ctx == NULL)
		use_candidate(resolver);
	rest(resolver);
}

/* Whoever answers other questions and fails at the root's keys cannot be validated through. */
static void note_failure(struct resolver *resolver)
{
	resolver->probe.blind = resolver->validation != DNS_INVALID || (resolver->probe.blind && !resolver->probe.spoke);
	resolver->probe.spoke = false;
}

static void found_silence(struct resolver *resolver)
{
	if (resolver->ctx == NULL)
		use_candidate(resolver);
	resolver->probe.quiet_until = clock_mono() + AGAIN_MS;
	if (resolver->validation != DNS_VALIDATED)
		rest(resolver);
}

static void conclude(struct resolver *resolver)
{
	resolver->probe.step = PROBE_OFF;
	switch (resolver->probe.finding) {
	case FOUND_VALID:
		found_valid(resolver);
		break;
	case FOUND_FAILURE:
		note_failure(resolver);
		found_invalid(resolver);
		break;
	case FOUND_INVALID:
		resolver->probe.blind = false;
		found_invalid(resolver);
		break;
	case FOUND_SILENCE:
		found_silence(resolver);
		break;
	}
	drop(&resolver->probe.candidate);
	drop(&resolver->probe.control);
	resolver_release(resolver);
}

static void probe_again(struct resolver *resolver)
{
	struct ub_ctx *candidate = new_context(resolver, RESOLVER_TRUST_ALL);

	if (candidate != NULL)
		ask_keys(resolver, candidate);
	else
		probe_over(resolver, FOUND_SILENCE);
}

static void on_timer(void *arg)
{
	struct resolver *resolver = arg;

	switch (resolver->probe.step) {
	case PROBE_KEYS:
		ask_control(resolver);
		break;
	case PROBE_CONTROL:
		resolver->probe.finding = FOUND_SILENCE;
		conclude(resolver);
		break;
	case PROBE_OVER:
		conclude(resolver);
		break;
	case PROBE_OFF:
	case PROBE_RESTING:
		probe_again(resolver);
		break;
	}
}

/* --- for resolver.c ---------------------------------------------------------------------------------------------------------- */

void resolver_probe_init(struct resolver *resolver)
{
	timer_init(&resolver->probe.timer, resolver->loop, on_timer, resolver);
}

void resolver_probe_fini(struct resolver *resolver)
{
	resolver->probe.step = PROBE_OFF; /* what a dying context still says is not heard */
	timer_fini(&resolver->probe.timer);
	drop(&resolver->probe.candidate);
	drop(&resolver->probe.control);
}

void resolver_probe_begin(struct resolver *resolver, struct ub_ctx *candidate)
{
	resolver->validation = DNS_UNPROVEN;
	ask_keys(resolver, candidate);
}

bool resolver_probe_suspect(struct resolver *resolver)
{
	struct probe *probe = &resolver->probe;

	if (!resolver->anchors.has_root || resolver->validation == DNS_INVALID || resolver->validation == DNS_UNVALIDATED)
		return false;
	if (probe->step != PROBE_OFF && probe->step != PROBE_RESTING)
		return true;
	if (clock_mono() < probe->quiet_until)
		return false;
	/* A first time within the rest too: it was for silence, and that is over. */
	timer_start(&probe->timer, 0);
	return true;
}

bool resolver_probe_heard(struct resolver *resolver)
{
	struct probe *probe = &resolver->probe;

	if (!probe->blind)
		return false;
	if (probe->step == PROBE_OFF || probe->step == PROBE_RESTING)
		timer_start(&probe->timer, 0);
	probe->spoke = true;
	return true;
}
