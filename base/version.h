/* base/version.h - the version of the programs. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define WARMRELAY_VERSION "0.1.0"

#endif
