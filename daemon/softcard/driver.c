/* A reader driver in front of Debian's vpcd driver, for tests and demonstrations.
 *
 * It stands beside the copy that it loads: reader-0.so passes every call on to
 * reader-0.vpcd.so. Three answers are its own: the reader has one slot, not two; while a file
 * reader-0.so.unplugged exists, there is no reader; and an ATR of a single zero byte, which is
 * how a software card says nothing, becomes what a reader reports for a mute card.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long word;
typedef unsigned char octet;
struct header { word protocol, length; };

enum { SUCCESS = 0, POWER_ACTION_ERROR = 608, COMMUNICATION_ERROR = 612, NO_SUCH_DEVICE = 617 };
enum { TAG_SLOTS_NUMBER = 0x0FAE };

static const char *own_path(void)
{
	static Dl_info info;

	return dladdr((void *)own_path, &info) ? info.dli_fname : "";
}

static void *target(const char *name)
{
	static void *library;
	char path[4096];
	size_t length = strlen(own_path());

	if (!library && length > 3 && length < sizeof path - 8) {
		snprintf(path, sizeof path, "%.*s.vpcd.so", (int)length - 3, own_path());
		library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return library ? dlsym(library, name) : NULL;
}

#define PASS_ON(name, parameters, arguments)                          \
	long name parameters                                          \
	{                                                             \
		static long (*call) parameters;                       \
		if (!call)                                            \
			call = (long (*) parameters)target(#name);    \
		return call ? call arguments : COMMUNICATION_ERROR;   \
	}

PASS_ON(IFDHCreateChannelByName, (word lun, char *device), (lun, device))
PASS_ON(IFDHCreateChannel, (word lun, word channel), (lun, channel))
PASS_ON(IFDHCloseChannel, (word lun), (lun))
PASS_ON(IFDHSetCapabilities, (word lun, word tag, word length, octet *value),
	(lun, tag, length, value))
PASS_ON(IFDHSetProtocolParameters,
	(word lun, word protocol, octet flags, octet pts1, octet pts2, octet pts3),
	(lun, protocol, flags, pts1, pts2, pts3))
PASS_ON(IFDHTransmitToICC,
	(word lun, struct header send, octet *command, word command_length,
	 octet *response, word *response_length, struct header *receive),
	(lun, send, command, command_length, response, response_length, receive))
PASS_ON(IFDHControl,
	(word lun, word code, octet *command, word command_length,
	 octet *response, word response_length, word *returned),
	(lun, code, command, command_length, response, response_length, returned))

static long (*capabilities)(word, word, word *, octet *);
static long (*presence)(word);
static long (*power)(word, word, octet *, word *);

long IFDHGetCapabilities(word lun, word tag, word *length, octet *value)
{
	if (tag == TAG_SLOTS_NUMBER && *length >= 1) {
		*length = 1;
		*value = 1;
		return SUCCESS;
	}
	if (!capabilities)
		capabilities = (long (*)(word, word, word *, octet *))target("IFDHGetCapabilities");
	return capabilities ? capabilities(lun, tag, length, value) : COMMUNICATION_ERROR;
}

long IFDHICCPresence(word lun)
{
	char flag[4096];

	snprintf(flag, sizeof flag, "%s.unplugged", own_path());
	if (access(flag, F_OK) == 0)
		return NO_SUCH_DEVICE;
	if (!presence)
		presence = (long (*)(word))target("IFDHICCPresence");
	return presence ? presence(lun) : COMMUNICATION_ERROR;
}

long IFDHPowerICC(word lun, word action, octet *atr, word *length)
{
	long result;

	if (!power)
		power = (long (*)(word, word, octet *, word *))target("IFDHPowerICC");
	result = power ? power(lun, action, atr, length) : COMMUNICATION_ERROR;
	if (result == SUCCESS && length && *length == 1 && atr[0] == 0) {
		*length = 0;
		return POWER_ACTION_ERROR;
	}
	return result;
}
