/*
 * hash - FNV-1a of 64 bits: where to keep something, has it changed?
 *
 * Not for what a stranger may choose to collide; it is no secret either.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_HASH_H
#define MR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define MR_HASH_START UINT64_C(0xcbf29ce484222325)

/* Of what `hash` is of, MR_HASH_START if that is nothing, and of `data`. */
static inline uint64_t mr_hash(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *octets = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ octets[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
