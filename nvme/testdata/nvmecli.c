// A library for LD_PRELOAD under nvme-cli: the admin commands that nvme-cli sends
// are answered from files in the directory $NVMECLI_PAGES, named by opcode and the
// low byte of CDW10: "06-01" is Identify Controller, "02-02" the SMART log. The
// device to name on the command line is /dev/null. Thus nvme-cli decodes pages
// that the tests of this package made.
//
// Every command is also written to the file $NVMECLI_JOURNAL, in a line of
// hexadecimal numbers: queue (0 admin, 1 I/O), opcode, NSID, dwords 2, 3 and 10 to
// 15, the length of the data, and the data, if the host sends it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int answer(struct nvme_passthru_cmd *cmd, uint64_t offset)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%02x-%02x", getenv("NVMECLI_PAGES"), cmd->opcode, cmd->cdw10 & 0xff);
	memset((void *)(uintptr_t)cmd->addr, 0, cmd->data_len);
	FILE *f = fopen(path, "rb");
	if (!f)
		return cmd->opcode == 0x02 ? 0x4109 : 0x4002;
	if (!fseek(f, offset, SEEK_SET))
		(void)!fread((void *)(uintptr_t)cmd->addr, 1, cmd->data_len, f);
	fclose(f);
	return 0;
}

static void journal(int queue, const struct nvme_passthru_cmd *cmd)
{
	FILE *f = getenv("NVMECLI_JOURNAL") ? fopen(getenv("NVMECLI_JOURNAL"), "a") : NULL;
	if (!f)
		return;
	fprintf(f, "%x %x %x %x %x %x %x %x %x %x %x %x ", queue, cmd->opcode, cmd->nsid, cmd->cdw2, cmd->cdw3,
		cmd->cdw10, cmd->cdw11, cmd->cdw12, cmd->cdw13, cmd->cdw14, cmd->cdw15, cmd->data_len);
	if (cmd->opcode & 1)
		for (uint32_t i = 0; i < cmd->data_len; i++)
			fprintf(f, "%02x", ((uint8_t *)(uintptr_t)cmd->addr)[i]);
	fputc('\n', f);
	fclose(f);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	va_start(ap, request);
	struct nvme_passthru_cmd *cmd = va_arg(ap, void *);
	va_end(ap);
	switch ((uint32_t)request) {
	case NVME_IOCTL_ID:
		return 1;
	case NVME_IOCTL_ADMIN_CMD:
	case NVME_IOCTL_ADMIN64_CMD: // the same but for its result, which stays as it is
		journal(0, cmd);
		return answer(cmd, cmd->opcode == 0x02 ? cmd->cdw12 | (uint64_t)cmd->cdw13 << 32 : 0);
	case NVME_IOCTL_IO_CMD:
	case NVME_IOCTL_IO64_CMD:
		journal(1, cmd);
		return 0;
	}
	static int (*next)(int, unsigned long, void *);
	if (!next)
		next = dlsym(RTLD_NEXT, "ioctl");
	return next(fd, request, cmd);
}
