/* relay/relayq/settings.h - the configuration as far as the tool needs it. */
#ifndef RELAYQ_SETTINGS_H
#define RELAYQ_SETTINGS_H

#include <stdio.h>

#include "conf/conf.h"

/* Load `file`. When it has faults, the operator is needed more than ever: then `control` and `state` are read from it alone, and a
 * warning goes to `err`. NULL: even that fails; the cause has been told. */
struct conf *settings_load(const char *file, FILE *err) MUST_USE;

#endif
