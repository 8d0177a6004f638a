/* conf/notation.h - how each kind of value is written. Used by conf/value.c alone, which says what is what. */
#ifndef CONF_NOTATION_H
#define CONF_NOTATION_H

#include "conf/value.h"

/* Text into value; false: not of that form. `out` is zeroed before. Pure. */
bool notation_string(const char *text, struct value *out);
bool notation_name(const char *text, struct value *out);
bool notation_host(const char *text, struct value *out);
bool notation_route(const char *text, struct value *out);
bool notation_host_port(const char *text, struct value *out);
bool notation_proxy(const char *text, struct value *out);
bool notation_mailbox(const char *text, struct value *out);
bool notation_hash(const char *text, struct value *out);
bool notation_zone(const char *text, struct value *out);
bool notation_fingerprint(const char *text, struct value *out);
bool notation_count(const char *text, struct value *out);
bool notation_days(const char *text, struct value *out);
bool notation_size(const char *text, struct value *out);
bool notation_duration(const char *text, struct value *out);
bool notation_date(const char *text, struct value *out);
bool notation_rate(const char *text, struct value *out);
bool notation_address(const char *text, struct value *out);
bool notation_network(const char *text, struct value *out);
bool notation_endpoint(const char *text, struct value *out);
bool notation_resolver(const char *text, struct value *out);

/* Value into text; `out` holds VALUE_TEXT_MAX bytes. */
void notation_put_zone(const struct value *value, char *out);
void notation_put_count(const struct value *value, char *out);
void notation_put_days(const struct value *value, char *out);
void notation_put_size(const struct value *value, char *out);
void notation_put_duration(const struct value *value, char *out);
void notation_put_date(const struct value *value, char *out);
void notation_put_rate(const struct value *value, char *out);
void notation_put_address(const struct value *value, char *out);
void notation_put_network(const struct value *value, char *out);
void notation_put_endpoint(const struct value *value, char *out);
void notation_put_resolver(const struct value *value, char *out);

/* The host part of "host:port" or "[address]:port", without brackets, lower case, into 256 bytes. */
void notation_host_of(const char *text, char out[256]);

/* The parts of "socks5://[user:password@]address:port" (RFC 3986 section 3.2), its words without %XX. False: not of that form. */
bool notation_proxy_split(const char *text, struct value_proxy *out);

#endif
