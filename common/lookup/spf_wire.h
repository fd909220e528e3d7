/*
 * spf_wire - what spf_box and its worker say to each other
 *
 * One process asks for a check, the other asks back for what it needs of the
 * DNS, and ends with a result; each message is one packet (SOCK_SEQPACKET) of
 * this machine, so integers are as they are in memory.  Texts end with a NUL.
 * The worker believes what it is told; whoever asked it believes nothing.
 *
 * The zygote, from which workers are forked, is sent one octet for each worker,
 * and answers with one octet that carries two descriptors: the worker's socket,
 * and the worker itself (pidfd).
 */
/* SPDX-License-Identifier: ISC */
#ifndef MR_LOOKUP_SPF_WIRE_H
#define MR_LOOKUP_SPF_WIRE_H

#include <stdint.h>

enum mr_spf_wire {
	MR_SPF_WIRE_CHECK = 1,
	MR_SPF_WIRE_QUESTION,
	MR_SPF_WIRE_ANSWER,
	MR_SPF_WIRE_RESULT,
};

enum {
	MR_SPF_WIRE_NAME = 256,  /* a domain name */
	MR_SPF_WIRE_TEXT = 1024, /* an address, or an explanation */
	MR_SPF_WIRE_LARGEST = 80 * 1024,
};

struct mr_spf_wire_check {
	uint32_t kind;
	char ip[46];
	char helo[MR_SPF_WIRE_NAME];
	char sender[MR_SPF_WIRE_TEXT]; /* "": the HELO identity */
	char receiver[MR_SPF_WIRE_NAME];
};

struct mr_spf_wire_question {
	uint32_t kind;
	uint32_t type; /* RFC 1035 section 3.2.2 */
	char name[MR_SPF_WIRE_NAME];
};

/* Followed by `count` times a uint16_t and so many octets: an address as in the
 * DNS, or a name or text. */
struct mr_spf_wire_answer {
	uint32_t kind;
	uint32_t found;  /* enum mr_lookup */
	uint32_t exists; /* as in struct mr_dns_answer */
	uint32_t count;
};

struct mr_spf_wire_result {
	uint32_t kind;
	uint32_t result;                    /* enum mr_spf */
	char explanation[MR_SPF_WIRE_TEXT]; /* "": none of the domain's */
	char why[MR_SPF_WIRE_TEXT];
};

#endif
