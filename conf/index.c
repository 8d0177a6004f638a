/* conf/index.c - find tenants, logins, networks, providers and routes of a snapshot without walking its lists. */
#include "conf/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/table.h"
#include "conf/memory.h"

#define KEY_MAX 512

enum kind { KIND_TENANT = 't', KIND_LOGIN = 'l', KIND_CERT = 'c', KIND_SOURCE = 's', KIND_POOL = 'p', KIND_PROVIDER = 'v', KIND_PLAN = 'w', KIND_DOMAIN = 'd',
	KIND_MX = 'm', KIND_ROUTE = 'r', KIND_NETWORK = 'n' };

/* Key: the kind, then the name or the network. `part` is the login of a tenant. */
struct entry {
	UT_hash_handle hh;
	const void *item, *part;
	unsigned char key[];
};

struct index {
	struct entry *entries;
	struct memory memory;
	bool prefixes[2][129]; /* lengths that occur among the networks, IPv4 and IPv6 */
};

static struct entry *find(const struct index *index, const void *key, size_t len)
{
	struct entry *entry;

	HASH_FIND(hh, index->entries, key, len, entry);
	return entry;
}

static void add(struct index *index, const void *key, size_t len, const void *item, const void *part)
{
	struct entry *entry;

	if (find(index, key, len))
		return;
	entry = memory_alloc(&index->memory, sizeof(*entry) + len);
	entry->item = item;
	entry->part = part;
	memcpy(entry->key, key, len);
	HASH_ADD_KEYPTR(hh, index->entries, entry->key, len, entry);
}

/* 0: too long to be the name of anything. */
static size_t name_key(enum kind kind, const char *name, char key[KEY_MAX])
{
	size_t len = strlen(name);

	if (len + 2 > KEY_MAX)
		return 0;
	key[0] = (char)kind;
	memcpy(key + 1, name, len + 1);
	return len + 1;
}

static void add_name(struct index *index, enum kind kind, const char *name, const void *item, const void *part)
{
	char key[KEY_MAX];
	size_t len = name ? name_key(kind, name, key) : 0;

	if (len > 0)
		add(index, key, len, item, part);
}

static const struct entry *find_name(const struct conf *conf, enum kind kind, const char *name)
{
	char key[KEY_MAX];
	size_t len = name_key(kind, name, key);

	return len > 0 ? find(conf->index, key, len) : NULL;
}

/* As find_name for names of DNS: any case, a trailing dot is ignored. */
static const struct entry *find_domain(const struct conf *conf, enum kind kind, const char *name)
{
	char key[KEY_MAX];
	size_t len = name_key(kind, name, key);

	if (len > 2 && key[len - 1] == '.')
		key[--len] = '\0';
	ascii_lower_str(key + 1);
	return len > 0 ? find(conf->index, key, len) : NULL;
}

struct network_key {
	unsigned char kind, family, prefix;
	uint8_t bytes[16];
};

/* The network of `prefix` bits that `addr` lies in. */
static struct network_key network_key(const struct ip_addr *addr, unsigned prefix)
{
	struct network_key key = { KIND_NETWORK, addr->family, (unsigned char)prefix, { 0 } };

	for (unsigned i = 0; i * 8 < prefix; i++) {
		unsigned bits = prefix - i * 8;

		key.bytes[i] = addr->bytes[i] & (uint8_t)(bits >= 8 ? 0xff : 0xff << (8 - bits));
	}
	return key;
}

/* A network of mapped addresses is one of IPv4, as in ip_net_contains. */
static struct ip_net unmapped(const struct ip_net *net)
{
	struct ip_net out = *net;

	if (net->prefix < 96)
		return out;
	ip_unmap(&out.addr);
	if (out.addr.family != net->addr.family)
		out.prefix = (uint8_t)(net->prefix - 96);
	return out;
}

static void add_tenant(struct index *index, const struct conf_tenant *tenant)
{
	add_name(index, KIND_TENANT, tenant->name, tenant, NULL);
	for (size_t i = 0; i < tenant->login_count; i++) {
		add_name(index, KIND_LOGIN, tenant->logins[i].user, tenant, &tenant->logins[i]);
		add_name(index, KIND_CERT, tenant->logins[i].cert, tenant, &tenant->logins[i]);
	}
	for (size_t i = 0; i < tenant->from_count; i++) {
		struct ip_net net = unmapped(&tenant->from[i]);
		struct network_key key = network_key(&net.addr, net.prefix);

		add(index, &key, sizeof(key), tenant, NULL);
		index->prefixes[net.addr.family == AF_INET6][net.prefix] = true;
	}
}

static void add_provider(struct index *index, const struct conf_provider *provider)
{
	add_name(index, KIND_PROVIDER, provider->name, provider, NULL);
	for (size_t i = 0; i < provider->domain_count; i++)
		add_name(index, KIND_DOMAIN, provider->domains[i], provider, NULL);
	for (size_t i = 0; i < provider->mx_count; i++)
		add_name(index, KIND_MX, provider->mx[i], provider, NULL);
}

struct index *index_build(const struct conf *conf)
{
	struct index *index = xcalloc(1, sizeof(*index));

	for (size_t i = 0; i < conf->tenant_count; i++)
		add_tenant(index, &conf->tenants[i]);
	for (size_t i = 0; i < conf->source_count; i++)
		add_name(index, KIND_SOURCE, conf->sources[i].name, &conf->sources[i], NULL);
	for (size_t i = 0; i < conf->pool_count; i++)
		add_name(index, KIND_POOL, conf->pools[i].name, &conf->pools[i], NULL);
	for (size_t i = 0; i < conf->provider_count; i++)
		add_provider(index, &conf->providers[i]);
	for (size_t i = 0; i < conf->plan_count; i++)
		add_name(index, KIND_PLAN, conf->plans[i].name, &conf->plans[i], NULL);
	for (size_t i = 0; i < conf->route_count; i++)
		add_name(index, KIND_ROUTE, conf->routes[i].domain, &conf->routes[i], NULL);
	return index;
}

void index_destroy(struct index **index)
{
	if (!*index)
		return;
	HASH_CLEAR(hh, (*index)->entries);
	memory_fini(&(*index)->memory);
	free(*index);
	*index = NULL;
}

static const void *item_of(const struct entry *entry)
{
	return entry ? entry->item : NULL;
}

const struct conf_tenant *conf_tenant_find(const struct conf *conf, const char *name)
{
	return item_of(find_name(conf, KIND_TENANT, name));
}

const struct conf_pool *conf_pool_find(const struct conf *conf, const char *name)
{
	return item_of(find_name(conf, KIND_POOL, name));
}

const struct conf_source *conf_source_find(const struct conf *conf, const char *name)
{
	return item_of(find_name(conf, KIND_SOURCE, name));
}

const struct conf_provider *conf_provider_find(const struct conf *conf, const char *name)
{
	return item_of(find_name(conf, KIND_PROVIDER, name));
}

const struct conf_plan *conf_plan_find(const struct conf *conf, const char *name)
{
	return item_of(find_name(conf, KIND_PLAN, name));
}

const struct conf_tenant *conf_tenant_by_address(const struct conf *conf, const struct ip_addr *addr)
{
	const struct index *index = conf->index;
	struct ip_addr plain = *addr;

	ip_unmap(&plain);
	for (int prefix = plain.family == AF_INET6 ? 128 : 32; prefix >= 0; prefix--) {
		struct network_key key;
		const struct entry *entry;

		if (!index->prefixes[plain.family == AF_INET6][prefix])
			continue;
		key = network_key(&plain, (unsigned)prefix);
		entry = find(index, &key, sizeof(key));
		if (entry)
			return entry->item;
	}
	return NULL;
}

const struct conf_tenant *conf_tenant_by_login(const struct conf *conf, const char *user, const struct conf_login **login_out)
{
	const struct entry *entry = find_name(conf, KIND_LOGIN, user);

	if (entry && login_out)
		*login_out = entry->part;
	return item_of(entry);
}

const struct conf_tenant *conf_tenant_by_cert(const struct conf *conf, const char *fingerprint, const struct conf_login **login_out)
{
	const struct entry *entry = find_name(conf, KIND_CERT, fingerprint);

	if (entry && login_out)
		*login_out = entry->part;
	return item_of(entry);
}

const struct conf_route *conf_route_find(const struct conf *conf, const char *domain)
{
	const struct entry *entry = find_domain(conf, KIND_ROUTE, domain);

	return item_of(entry ? entry : find_name(conf, KIND_ROUTE, "*"));
}

const struct conf_provider *conf_provider_by_domain(const struct conf *conf, const char *domain)
{
	return item_of(find_domain(conf, KIND_DOMAIN, domain));
}

/* The provider with the longest suffix of `host`. */
static const struct conf_provider *by_host(const struct conf *conf, const char *host)
{
	const struct entry *entry = NULL;

	while (host && *host && !entry) {
		entry = find_domain(conf, KIND_MX, host);
		host = strchr(host, '.');
		if (host)
			host++;
	}
	return item_of(entry);
}

const struct conf_provider *conf_provider_by_mx(const struct conf *conf, const char *const *hosts, size_t count)
{
	const struct conf_provider *provider = count > 0 ? by_host(conf, hosts[0]) : NULL;

	for (size_t i = 1; i < count && provider; i++)
		if (by_host(conf, hosts[i]) != provider)
			return NULL;
	return provider;
}

bool conf_trusts(const struct conf *conf, const struct ip_addr *peer)
{
	for (size_t i = 0; i < conf->trusted_count; i++)
		if (ip_net_contains(&conf->trusted[i], peer))
			return true;
	return false;
}
