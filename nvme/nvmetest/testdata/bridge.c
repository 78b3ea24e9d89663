// A library for LD_PRELOAD under nvme-cli: its passthrough ioctls go to the Unix
// socket $NVMETEST_SOCKET, behind which a test has an emulated drive. The device
// to name on the command line is /dev/null.
//
// A request is 16 little-endian dwords: kind (0 admin, 1 I/O, 2 controller reset,
// 3 subsystem reset, 4 rescan), opcode, NSID, CDW2, CDW3, CDW10 to CDW15, lengths
// of data and metadata, timeout in ms, and two that are zero; then what the host
// sends. An answer is 4 dwords: status, or a negative errno; the result's low and
// high half; zero; then what the host receives.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int all(int fd, void *buf, size_t n, int sending)
{
	for (char *p = buf; n > 0;) {
		ssize_t r = sending ? write(fd, p, n) : read(fd, p, n);
		if (r <= 0)
			return -1;
		p += r;
		n -= r;
	}
	return 0;
}

static int call(uint32_t kind, struct nvme_passthru_cmd *c, uint64_t *result)
{
	static struct nvme_passthru_cmd none;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int32_t answer[4];
	if (!c)
		c = &none;
	uint32_t request[16] = {kind, c->opcode, c->nsid, c->cdw2, c->cdw3, c->cdw10, c->cdw11, c->cdw12, c->cdw13,
				c->cdw14, c->cdw15, c->data_len, c->metadata_len, c->timeout_ms};
	void *data = (void *)(uintptr_t)c->addr, *meta = (void *)(uintptr_t)c->metadata;
	strncpy(addr.sun_path, getenv("NVMETEST_SOCKET"), sizeof(addr.sun_path) - 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) || all(fd, request, sizeof(request), 1))
		goto failed;
	if (c->opcode & 1 && (all(fd, data, c->data_len, 1) || all(fd, meta, c->metadata_len, 1)))
		goto failed;
	if (all(fd, answer, sizeof(answer), 0))
		goto failed;
	if (c->opcode & 2 && answer[0] == 0 && (all(fd, data, c->data_len, 0) || all(fd, meta, c->metadata_len, 0)))
		goto failed;
	close(fd);
	*result = (uint32_t)answer[1] | (uint64_t)(uint32_t)answer[2] << 32;
	if (answer[0] >= 0)
		return answer[0];
	errno = -answer[0];
	return -1;
failed:
	close(fd);
	errno = EPIPE;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	uint64_t result = 0;
	int status;
	switch ((uint32_t)request) {
	case NVME_IOCTL_ID: // the node is that of a controller
		errno = ENOTTY;
		return -1;
	case NVME_IOCTL_ADMIN_CMD:
	case NVME_IOCTL_IO_CMD:
		status = call((uint32_t)request == NVME_IOCTL_IO_CMD, arg, &result);
		((struct nvme_passthru_cmd *)arg)->result = result;
		return status;
	case NVME_IOCTL_ADMIN64_CMD:
	case NVME_IOCTL_IO64_CMD:
		status = call((uint32_t)request == NVME_IOCTL_IO64_CMD, arg, &result);
		((struct nvme_passthru_cmd64 *)arg)->result = result;
		return status;
	case NVME_IOCTL_RESET:
		return call(2, NULL, &result);
	case NVME_IOCTL_SUBSYS_RESET:
		return call(3, NULL, &result);
	case NVME_IOCTL_RESCAN:
		return call(4, NULL, &result);
	}
	static int (*next)(int, unsigned long, void *);
	if (!next)
		next = dlsym(RTLD_NEXT, "ioctl");
	return next(fd, request, arg);
}
