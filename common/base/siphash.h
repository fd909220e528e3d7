/*
 * siphash - SipHash-2-4: where to keep what strangers choose the names of
 *
 * Who does not know the key cannot make names collide.
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_BASE_SIPHASH_H
#define MR_BASE_SIPHASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t mr_sip_rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void mr_sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = mr_sip_rotate(v[1], 13) ^ v[0];
	v[0] = mr_sip_rotate(v[0], 32);
	v[2] += v[3];
	v[3] = mr_sip_rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = mr_sip_rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = mr_sip_rotate(v[1], 17) ^ v[2];
	v[2] = mr_sip_rotate(v[2], 32);
}

static inline void mr_sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mr_sip_round(v);
	mr_sip_round(v);
	v[0] ^= word;
}

/* Of a number and a text. */
static inline uint64_t mr_siphash(
	const uint64_t key[2], uint64_t number, const char *text)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573 };
	size_t length = strlen(text);
	uint64_t last = (uint64_t)length << 56;

	mr_sip_word(v, number);
	for (; length >= 8; length -= 8, text += 8) {
		uint64_t word;

		memcpy(&word, text, 8);
		mr_sip_word(v, word);
	}
	for (size_t i = 0; i < length; i++)
		last |= (uint64_t)(unsigned char)text[i] << 8 * i;
	mr_sip_word(v, last);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		mr_sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
