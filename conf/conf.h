/* conf/conf.h - the typed, read-only configuration: what the operator wants, after all checks.
 *
 * One snapshot is made by conf_load(), shared by reference count between threads and never changed; a reload makes another.
 * All strings and arrays belong to the snapshot. Names are lower case where DNS is; an absent optional string is NULL.
 * Times are milliseconds, sizes bytes. Every key, its type, default and bounds stand in conf/schema.def. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/ip.h"

enum conf_listen_tls { LISTEN_TLS_NONE, LISTEN_TLS_STARTTLS, LISTEN_TLS_IMPLICIT };
enum conf_auth { AUTH_NONE, AUTH_OPTIONAL, AUTH_REQUIRED };
/* UNSET: a provider or route that leaves it to the next one. The order is that of what they demand, dane apart. */
enum conf_tls_level { TLS_LEVEL_UNSET, TLS_LEVEL_NONE, TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_DANE, TLS_LEVEL_REQUIRED, TLS_LEVEL_VERIFIED };
enum conf_validate { DNS_VALIDATE_PREFER, DNS_VALIDATE_REQUIRE };
/* What becomes of mail in the name of a domain that is not the tenant's. */
enum conf_others { OTHERS_REFUSE, OTHERS_ALLOW, OTHERS_HOLD, OTHERS_REWRITE };
enum conf_over { OVER_REFUSE, OVER_DELAY };            /* beyond a quota */
enum conf_window { WINDOW_SLIDING, WINDOW_CALENDAR };  /* the time that a quota counts */
enum conf_duplicates { DUPLICATES_REFUSE, DUPLICATES_FIRST, DUPLICATES_ACCEPT };
enum conf_bounces { BOUNCES_MAIL, BOUNCES_EVENT, BOUNCES_NONE }; /* how senders are told */
enum conf_rule { RULE_ACCEPT, RULE_REFUSE };
/* UNSET: a tenant that leaves it to the general setting. */
enum conf_answer { ANSWER_UNSET, ANSWER_REFUSE, ANSWER_DROP };  /* to RCPT with a suppressed address */
enum conf_scope { SUPPRESS_UNSET, SUPPRESS_TENANT, SUPPRESS_ALL }; /* for whom an address is suppressed */
enum conf_listed { LISTED_TELL, LISTED_CLOSE };                 /* what a blocklist's word does to a source */
/* Classes of mail: what comes first goes before what comes later, which keeps a part of the turns. */
enum conf_priority { PRIORITY_TRANSACTIONAL, PRIORITY_NORMAL, PRIORITY_BULK, PRIORITIES };

/* listen[]: where clients may hand in mail. */
struct conf_listen {
	struct ip_port at;
	enum conf_listen_tls tls;
	enum conf_auth auth;
	bool proxy; /* connections begin with a PROXY header, from trusted proxies */
};

/* tls.more[]: a certificate for clients that ask for one of its names. */
struct conf_certificate {
	char *cert, *key; /* paths */
};

/* tenants[].logins[]: at least one of hash and cert. */
struct conf_login {
	char *user;
	char *hash; /* crypt(3) string "$y$...", or a SCRAM verifier "SCRAM-SHA-256$..."; NULL: no password */
	char *cert; /* SHA-256 of the client's public key (SubjectPublicKeyInfo), 64 lower-case hexadecimal digits; NULL: none */
};

/* tenants[]: who hands mail in. */
struct conf_tenant {
	char *name;
	struct ip_net *from;
	size_t from_count;
	struct conf_login *logins;
	size_t login_count;
	char **domains; /* domain_count 0: may send as anything */
	size_t domain_count;
	char *pool; /* never NULL after loading */
	enum conf_tls_level tls; /* at least, for its mail */
	uint64_t quota_hour, quota_day; /* recipients; 0: none */
	enum conf_over quota_over;
	enum conf_window quota_window;
	uint64_t message_bytes;      /* 0: limits.message alone */
	uint32_t recipients;         /* for each message; 0: limits.recipients alone */
	uint32_t connections;        /* at once; 0: no limit of its own */
	enum conf_others others_envelope, others_from; /* for domains that are not in `domains` */
	enum conf_bounces bounces;   /* how its senders are told what became of their mail */
	bool dead;                   /* its recipients that bounce become dead letters */
	char *others_address;        /* what REWRITE makes of them; NULL: nothing is rewritten */
	enum conf_answer suppression_answer; /* UNSET: as suppression.answer */
	enum conf_scope suppression_scope;   /* UNSET: as suppression.scope */
	enum conf_priority priority; /* of its mail, unless a message asks for another */
	bool priority_raise;         /* its messages may ask for transactional */
	uint32_t destination_rate_count; /* recipients in destination_rate_period_ms to each destination; 0: unlimited */
	int64_t destination_rate_period_ms;
	uint32_t weight;             /* 1..100: its part of a destination's capacity among tenants of the same class */
	int64_t expire_ms;           /* age at which its mail bounces; 0: as retry says */
	struct usage *usage;         /* what is counted of it; attached before the snapshot is shared (relay/intake/usage.h), else NULL */
};

/* dkim[]: read and checked here, used by the signer. */
struct conf_dkim {
	char *domain, *selector, *key; /* key: path */
};

/* plans[].groups[]: what a plan says otherwise for some providers. */
struct conf_plan_group {
	char **providers;
	size_t provider_count;
	uint32_t start, growth, explore; /* 0: as in the plan itself */
	uint32_t *days;
	size_t day_count;
};

/* plans[]: how a source is warmed up, in recipients a day towards one provider. */
struct conf_plan {
	char *name;
	bool adapt;        /* the provider's answers decide */
	uint32_t start;    /* first day */
	uint32_t growth;   /* percent: adapt: above the recent mean at most; else from day to day */
	uint32_t explore;  /* adapt: factor within a day while no limit was met; 0: none */
	uint32_t ceiling;  /* a larger budget is none */
	uint32_t idle_days; /* so many without mail: begin again */
	uint32_t *days;    /* a calendar instead of start and growth; day_count 0: none */
	size_t day_count;
	struct conf_plan_group *groups;
	size_t group_count;
};

/* sources[]: an address that we send from. family 0 of `ip`: the kernel chooses (only the implied source "default"). */
struct conf_source {
	char *name;
	struct ip_addr ip;
	char *via;        /* SOCKS 5 proxy as written, with its password; NULL: none. The next three are made from it */
	struct ip_port via_at;
	char *via_user, *via_password; /* both, or both NULL */
	char *ehlo;       /* never NULL after loading: hostname when absent */
	uint32_t weight;  /* 1..; 0 (only the implied source): 1 */
	char *warmup_plan; /* NULL: warm */
	const struct conf_plan *plan; /* of that name; NULL: warm */
	wall_ms warmup_since; /* 0: not given */
	uint32_t connections; /* at once, to all destinations; 0: no limit */
	uint32_t rate_count;  /* recipients in rate_period_ms, to all destinations; 0: unlimited */
	int64_t rate_period_ms;
};

/* pools[]: a named set of sources, by index into conf->sources. */
/* What becomes of mail that the cold sources of a pool have no budget for. */
enum conf_overflow { OVERFLOW_SPILL, OVERFLOW_WAIT };

struct conf_pool {
	char *name;
	enum conf_overflow overflow;
	int64_t overflow_after_ms; /* age at which mail that waits for cold sources goes to warm ones */
	char **source_names; /* as written, source_count of them */
	uint32_t *sources;
	size_t source_count;
};

/* providers[]: a destination known by name. Limits are for each lane (source towards this provider); 0: take lanes'. */
struct conf_provider {
	char *name;
	char **domains; /* recipient domains, exact */
	size_t domain_count;
	char **mx; /* suffixes of MX host names, without a leading dot; matched at label borders */
	size_t mx_count;
	uint32_t connections; /* at once */
	uint32_t messages;    /* for each connection */
	uint32_t rate_count;  /* recipients in rate_period ms; 0: unlimited */
	int64_t rate_period_ms;
	uint32_t total_connections; /* at once, from all sources; 0: no limit */
	uint32_t total_rate_count;  /* recipients in total_rate_period_ms, from all sources; 0: unlimited */
	int64_t total_rate_period_ms;
	enum conf_tls_level tls; /* UNSET: as delivery.tls */
	int64_t retry_first_ms, retry_max_ms; /* 0: as retry.first, retry.max */
	char *closed;         /* it takes no mail any more: why; NULL: it does */
	char *basis;          /* where the limits come from, words; NULL: not told */
};

/* routes[]: instead of the MX. domain "*" matches all that no other route names. */
struct conf_route {
	char *domain;
	char *to;      /* as written; the next three are made from it */
	enum conf_tls_level tls; /* UNSET: as the provider or delivery.tls */
	char *to_host; /* host name or address text, without brackets */
	struct ip_addr to_ip; /* family 0: to_host is a name to look up */
	uint16_t to_port;
};

struct conf_limits {
	uint64_t message_bytes;     /* limits.message */
	uint32_t recipients;        /* for each message */
	uint32_t connections;       /* intake, all listeners together */
	uint32_t connections_per_address; /* intake, one client address; 0: no such limit */
	int64_t idle_ms;            /* client silent for so long: 421 */
	uint64_t memory_bytes;      /* bodies in memory, waiting for the store */
	uint64_t disk_bytes;        /* our own quota for the store */
	uint64_t disk_reserve_bytes; /* free space that intake leaves on the file system */
	uint32_t command_line;      /* bytes with CRLF, RFC 5321 section 4.5.3.1.4 and extensions */
	uint32_t text_line;         /* bytes with CRLF of a body line; 0: unlimited */
	uint32_t errors;            /* protocol errors in one session until 421 */
	uint32_t commands;          /* commands without mail in one session until 421 */
	uint32_t messages;          /* transactions in one session; 0: any number */
	int64_t future_ms;          /* FUTURERELEASE: at most so far */
	uint32_t hops;              /* Received fields until the message counts as looping */
	uint64_t header_bytes;      /* of the header section */
};

/* What is done to header sections on their way in; nothing else is touched. */
struct conf_hygiene {
	bool date, message_id;      /* added where missing */
	bool return_path, bcc;      /* removed */
	enum conf_duplicates duplicates; /* of fields that may stand once (RFC 5322 section 3.6) */
	enum conf_rule malformed;   /* lines that are no field, control characters */
	enum conf_rule eight_bit;   /* bytes above 127 without SMTPUTF8 */
};

struct conf_auth_limits {
	int64_t cache_ms;         /* a password that was right is taken again without its hash */
	uint32_t password_length; /* characters that relayq hash asks for */
};

/* bruteforce: what failed logins lead to. */
struct conf_bruteforce {
	uint32_t failures; /* of one address within window_ms: banned */
	uint32_t network;  /* of one /64 of IPv6 */
	uint32_t login;    /* with one login: locked */
	int64_t window_ms, delay_ms, delay_max_ms, ban_ms, ban_max_ms, lock_ms;
	struct ip_net *exempt; /* never banned */
	size_t exempt_count;
};

struct conf_timeouts {
	int64_t connect_ms, greeting_ms, helo_ms, mail_ms, rcpt_ms, data_ms, block_ms, dot_ms, quit_ms;
};

struct conf_delivery {
	uint16_t port;
	enum conf_tls_level tls;
	char *ca; /* PEM file; NULL: the system's */
	struct conf_timeouts timeouts;
	int64_t drain_ms;       /* how long SIGTERM waits for deliveries in flight */
	int64_t keepalive_ms;   /* an idle connection is kept for reuse so long */
	int64_t park_ms;        /* a source that cannot be used rests so long */
	uint32_t connections;   /* outbound, all lanes together */
	uint32_t addresses;     /* hosts' addresses tried in one attempt */
	struct ip_net *refuse_networks; /* never connected to on the word of an MX record; routes are exempt */
	size_t refuse_network_count;
	uint32_t reply_lines;   /* lines of one reply that are accepted */
	bool prefer_ipv6;
	bool chunking;          /* BDAT where it is offered and pays; BINARYMIME goes by it in any case */
};

/* mta_sts: policies of recipient domains (RFC 8461). */
struct conf_mta_sts {
	bool enabled;
	uint16_t port; /* of HTTPS */
	char *ca;      /* PEM file, for HTTPS; NULL: the system's */
};

/* tls_rpt: reports to recipient domains (RFC 8460). */
struct conf_tls_rpt {
	bool enabled;
	char *contact;      /* NULL: no reports */
	char *organization; /* NULL: hostname */
	int64_t delay_ms;
};

struct conf_retry {
	int64_t first_ms, max_ms, expire_ms, warn_ms;
	int64_t expire_transactional_ms, expire_bulk_ms; /* of those classes; 0: expire_ms */
	bool warnings; /* false: nobody is told at warn_ms */
};

/* suppression: addresses that do not exist. */
struct conf_suppression {
	uint32_t bounces; /* so many refusals; 0: none are counted */
	int64_t within_ms, keep_ms;
	enum conf_answer answer;
	enum conf_scope scope;
};

/* blocklists: DNS zones that may list our sources. */
struct conf_blocklists {
	char **zones; /* zone_count 0: nothing is looked up */
	size_t zone_count;
	int64_t every_ms;
	struct ip_port *forward; /* forward_count 0: dns.forward */
	size_t forward_count;
	enum conf_listed action;
};

/* alerts: whom to tell what. */
struct conf_alerts {
	char *mail, *webhook; /* NULL: not */
	int64_t every_ms, gather_ms, retry_ms, timeout_ms;
	char *pool; /* NULL: bounce_pool */
};

struct conf_dns {
	struct ip_port *forward;
	size_t forward_count;
	char **anchors; /* files */
	size_t anchor_count;
	bool anchors_given; /* false: the root anchor; true with count 0: no validation */
	enum conf_validate validate;
	int64_t timeout_ms; /* own deadline for each look-up */
};

struct conf {
	unsigned refs; /* of conf_ref/conf_unref only */
	char *file;
	char *hostname, *state, *control, *user;
	uint32_t workers;      /* never 0 after loading */
	int log_level;         /* enum log_level */
	uint32_t events_keep_days;
	uint64_t events_bytes;
	struct conf_listen *listen;
	size_t listen_count;
	struct ip_net *trusted; /* proxies that speak for others */
	size_t trusted_count;
	char *tls_cert, *tls_key; /* paths; NULL: none */
	struct conf_certificate *tls_more;
	size_t tls_more_count;
	struct ip_port admin;     /* family 0: none */
	bool admin_tls;           /* HTTPS there, with tls_cert */
	struct conf_limits limits;
	struct conf_auth_limits auth;
	struct conf_bruteforce bruteforce;
	bool scram;        /* there are passwords, and each has a SCRAM verifier */
	bool client_certs; /* some login has a certificate */
	struct conf_hygiene hygiene;
	struct conf_tenant *tenants;
	size_t tenant_count;
	struct conf_dkim *dkim;
	size_t dkim_count;
	char *signing_fallback; /* one of the domains of dkim[]; NULL: none */
	struct conf_source *sources; /* at least one: "default" is implied when the file names none */
	size_t source_count;
	struct conf_pool *pools; /* at least one: "default" with all sources is implied when the file names none */
	size_t pool_count;
	struct conf_plan *plans; /* shipped ones with the operator's changes applied */
	size_t plan_count;
	int64_t warmup_late_ms; /* mail that waits longer for cold sources alone is told of */
	int64_t warmup_zone_ms; /* of the days of warm-up, east of UTC */
	struct conf_provider *providers; /* shipped ones with the operator's changes applied */
	size_t provider_count;
	char *replies; /* path of the operator's rules about replies; NULL: none */
	const struct replies *reply_rules; /* those, then the shipped ones (conf/replies.h) */
	uint32_t lane_connections, lane_messages;
	uint32_t lane_rate_count;
	int64_t lane_rate_period_ms;
	int64_t slow_start_idle_ms; /* 0: no slow start */
	struct conf_route *routes;
	size_t route_count;
	int64_t dead_keep_ms;     /* dead letters: how long, and all of them together; either 0: none are kept */
	uint64_t dead_size_bytes;
	char *bounce_pool; /* pool of DSNs; never NULL after loading */
	struct conf_dns dns;
	struct conf_delivery delivery;
	struct conf_mta_sts mta_sts;
	struct conf_tls_rpt tls_rpt;
	struct conf_retry retry;
	struct conf_suppression suppression;
	struct conf_blocklists blocklists;
	struct conf_alerts alerts;
	void *memory; /* the arena; conf/ only */
	const void *origins; /* where each value came from; conf/ only */
	void *index; /* of names, networks and domains; conf/ only */
	void *attached; /* what has been made of this snapshot before it was shared: the loaded keys (relay/sign/keyring.h) */
	void (*attached_free)(void *attached); /* called with it when the last reference goes */
};

/* All faults of one pass, in the order of the file. `text` is a list of lines "FILE:LINE:COLUMN: what was found, what was expected"
 * ("FILE: ..." where no place applies); beyond 200 faults and warnings a last line tells how many more there are. */
struct conf_faults {
	char *text; /* malloc'ed, never NULL after conf_load; "" when there are none; the caller frees */
	size_t count;
	char *warnings; /* the same form; malloc'ed */
	size_t warning_count;
};

/*
 * Read, check and complete a configuration file.
 *
 *   file        path of relay.yaml
 *   faults      owned by the caller; filled on success too (warnings)
 *
 * Relative paths inside are resolved against the file's folder. Returns a snapshot with one reference, or NULL with
 * faults->count > 0 (an unreadable file is a fault too). Does not test whether `user` can read keys: conf_check_files.
 */
struct conf *conf_load(const char *file, struct conf_faults *faults) MUST_USE;

/* The same from memory; `file` only names it in messages and resolves relative paths; the file that `replies` names is not read. For
 * tests and the fuzzer. */
struct conf *conf_load_text(const char *file, const char *text, size_t len, struct conf_faults *faults) MUST_USE;

/* Open what the configuration names (certificates, keys, anchors, state) as `user` would, adding faults. */
void conf_check_files(const struct conf *conf, struct conf_faults *faults);

/* Add what somebody else found out about a setting, with its place in the file. `field` points to the field inside the snapshot. */
void conf_fault(const struct conf *conf, const void *field, bool is_error, struct conf_faults *faults, const char *format, ...)
    PRINTF_LIKE(5, 6);

void conf_faults_free(struct conf_faults *faults);

/* Reference counting, any thread. unref frees with the last one and sets the pointer to NULL. */
struct conf *conf_ref(struct conf *conf);
void conf_unref(struct conf **conf);

/* What `relayd --dump` prints: every effective value as YAML, its origin (default, file:line, shipped) as a comment. Loading the output
 * again gives the same configuration. */
void conf_dump(const struct conf *conf, FILE *out);

/* What `relayd --explain KEY` prints; ERR_NOT_FOUND with the nearest key in `why`. KEY such as "retry.first", "tenants.pool". */
MUST_USE enum err conf_explain(const char *key, FILE *out, struct err_detail *why);

/* The reference page in Markdown, from the schema table: docs/CONFIG.md. */
void conf_reference(FILE *out);

/* Names of settings that differ between the two and need a restart (state user control workers), separated by ", "; NULL when none.
 * malloc'ed. */
char *conf_restart_needed(const struct conf *running, const struct conf *next);

/* The class of a message with this MT-PRIORITY (RFC 6710): above 0 transactional, below 0 bulk, 0 its tenant's own. tenant NULL: one that is not in
 * the configuration, as of our own reports. */
enum conf_priority conf_priority_of(const struct conf_tenant *tenant, int priority);
const char *conf_priority_name(enum conf_priority class); /* as in the file */

/* How long such a message is tried: what its tenant says, else what retry says for its class. */
int64_t conf_expire_ms(const struct conf *conf, const struct conf_tenant *tenant, int priority);

/* Find by name; NULL: no such. Borrowed from the snapshot. */
const struct conf_tenant *conf_tenant_find(const struct conf *conf, const char *name);
const struct conf_pool *conf_pool_find(const struct conf *conf, const char *name);
const struct conf_source *conf_source_find(const struct conf *conf, const char *name);
const struct conf_provider *conf_provider_find(const struct conf *conf, const char *name);
const struct conf_plan *conf_plan_find(const struct conf *conf, const char *name);

/* The tenant whose networks hold `addr` (longest prefix wins), or who owns login `user`; NULL: none. */
const struct conf_tenant *conf_tenant_by_address(const struct conf *conf, const struct ip_addr *addr);
const struct conf_tenant *conf_tenant_by_login(const struct conf *conf, const char *user, const struct conf_login **login_out);

/* The tenant one of whose logins has the client certificate with this fingerprint (as in conf_login.cert); NULL: none. */
const struct conf_tenant *conf_tenant_by_cert(const struct conf *conf, const char *fingerprint, const struct conf_login **login_out);

/* May this peer say for whom it speaks (`trusted`)? */
bool conf_trusts(const struct conf *conf, const struct ip_addr *peer);

/* The route for a recipient domain (exact, else "*"); NULL: use the MX. */
const struct conf_route *conf_route_find(const struct conf *conf, const char *domain);

/* Provider by recipient domain, else by MX host name (every host of the set must match one suffix of the provider). NULL: none. */
const struct conf_provider *conf_provider_by_domain(const struct conf *conf, const char *domain);
const struct conf_provider *conf_provider_by_mx(const struct conf *conf, const char *const *hosts, size_t count);

#endif
