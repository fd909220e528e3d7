/* null-milter - a milter that asks for what ours asks for, and does nothing:
 * the floor that tests/bench/throughput.py measures ours against.
 *
 * usage: null-milter SOCKET [senders]    (unix:PATH; runs in the foreground)
 *
 * With "senders" as ours does when it asks about senders and adds headers: it
 * answers connect and HELO, and may change headers. */
/* SPDX-License-Identifier: ISC */
#include <libmilter/mfapi.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool senders; /* libmilter has no place for it */

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions,
	unsigned long steps, unsigned long unused2, unsigned long unused3,
	unsigned long *actions_r, unsigned long *steps_r,
	unsigned long *unused2_r, unsigned long *unused3_r)
{
	static const struct {
		int stage;
		const char *names;
	} macros[] = {
		{ SMFIM_CONNECT, "{client_ptr} {daemon_name} {daemon_port}" },
		{ SMFIM_HELO, "{tls_version}" },
		{ SMFIM_ENVFROM, "i {auth_authen} {tls_version}" },
		{ SMFIM_ENVRCPT, "i {rcpt_addr}" },
		{ SMFIM_EOM, "i" },
	};

	(void)unused2;
	(void)unused3;
	for (size_t i = 0; i < sizeof(macros) / sizeof(*macros); i++)
		smfi_setsymlist(ctx, macros[i].stage, (char *)macros[i].names);
	*actions_r = SMFIF_SETSYMLIST;
	*steps_r = SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_NOEOH |
	           SMFIP_HDR_LEADSPC | SMFIP_NR_HDR | SMFIP_NR_BODY;
	if (senders)
		*actions_r |= SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	else
		*steps_r |= SMFIP_NR_CONN | SMFIP_NR_HELO;
	*actions_r &= actions;
	*steps_r &= steps;
	*unused2_r = *unused3_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	(void)ctx;
	(void)name;
	(void)address;
	return senders ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	(void)name;
	return senders ? SMFIS_CONTINUE : SMFIS_NOREPLY;
}

static sfsistat on_envelope(SMFICTX *ctx, char **arguments)
{
	(void)ctx;
	(void)arguments;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *piece, size_t octets)
{
	(void)ctx;
	(void)piece;
	(void)octets;
	return SMFIS_NOREPLY;
}

static sfsistat on_end(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	const struct smfiDesc filter = {
		.xxfi_name = (char *)"null-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envelope,
		.xxfi_envrcpt = on_envelope,
		.xxfi_header = on_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_negotiate = on_negotiate,
	};

	senders = argc == 3 && strcmp(argv[2], "senders") == 0;
	if (argc != (senders ? 3 : 2)) {
		fputs("usage: null-milter SOCKET [senders]\n", stderr);
		return 2;
	}
	if (smfi_register(filter) != MI_SUCCESS ||
		smfi_setconn(argv[1]) != MI_SUCCESS ||
		smfi_opensocket(true) != MI_SUCCESS) {
		fprintf(stderr, "null-milter: cannot listen on %s\n", argv[1]);
		return 1;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
