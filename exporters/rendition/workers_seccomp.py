"""A filter for system calls on Linux (seccomp(2), Documentation/userspace-api/seccomp_filter.rst): no sockets, no
writing, making, renaming or removing of files, no programs, no mounts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
"""Flags of open(2) that do more than reading, which fonts need."""

_MACHINES = ("x86_64", "aarch64")
_ARCHITECTURES = (0xC000003E, 0xC00000B7)
"""AUDIT_ARCH_* of linux/audit.h."""
_OPEN, _OPENAT, _CLONE = (2, None), (257, 56), (56, 220)

# Numbers on x86_64 (asm/unistd_64.h) and elsewhere (asm-generic/unistd.h); None: there is no such call.
_REFUSED = {
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "fork": (57, None), "vfork": (58, None), "execve": (59, 221),
    "execveat": (322, 281), "kill": (62, 129), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "creat": (85, None), "truncate": (76, 45), "rename": (82, None),
    "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None),
    "link": (86, None), "linkat": (265, 37), "unlink": (87, None), "unlinkat": (263, 35), "symlink": (88, None),
    "symlinkat": (266, 36), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "mknod": (133, None), "mknodat": (259, 33),
    "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280),
    "pidfd_getfd": (438, 438), "open_by_handle_at": (304, 265), "memfd_create": (319, 279), "ftruncate": (77, 46),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "utimensat": (280, 88), "reboot": (169, 142), "chroot": (161, 51),
    "init_module": (175, 105), "finit_module": (313, 273), "keyctl": (250, 219), "mq_open": (240, 180),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "pidfd_send_signal": (424, 424), "tkill": (200, 130),
}  # fmt: skip
_UNKNOWN = {"io_uring_setup": 425, "clone3": 435, "openat2": 437}
"""Said not to exist, so that libraries take the older call, which the filter understands."""

_LOAD, _RETURN, _EQUAL, _AT_LEAST, _ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data; an argument has 8 bytes, of which the lower half is looked at."""
_X32 = 0x40000000
_CLONE_THREAD = 0x10000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_FILTER_MODE = 2
_SIGKILL = 9


def install() -> bool:
    """Put this thread and those it will start under the filter; whether the kernel has taken it. The process also
    dies with its parent from now on.
    """
    if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.maxsize < 2**32:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # a dump that goes into a program (core(5)) knows no RLIMIT_CORE
    code = program(_MACHINES.index(platform.machine()))
    instructions = ctypes.create_string_buffer(code, len(code))
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions)))
    alone = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # what the kernel asks of those that are not root
    return not alone and not libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, described, 0, 0)


def program(machine: int) -> bytes:
    """The filter in classic BPF (linux/filter.h); machine: 0 for x86_64, 1 for aarch64."""
    lines = [_op(_LOAD, _ARCHITECTURE), _op(_EQUAL, _ARCHITECTURES[machine], 1, 0), _op(_RETURN, _REFUSE)]
    lines += [_op(_LOAD, _NUMBER), _op(_AT_LEAST, _X32, 0, 1), _op(_RETURN, _REFUSE)]
    for number in (numbers[machine] for numbers in _REFUSED.values()):
        lines += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _REFUSE)] if number is not None else []
    for number in _UNKNOWN.values():
        lines += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _MISSING)]
    for number, flags in ((_OPEN[machine], 1), (_OPENAT[machine], 2)):
        if number is not None:
            lines += [_op(_EQUAL, number, 0, 4), _op(_LOAD, _ARGUMENTS + 8 * flags), _op(_ANY_BIT, WRITING, 0, 1)]
            lines += [_op(_RETURN, _REFUSE), _op(_RETURN, _ALLOW)]
    lines += [_op(_EQUAL, _CLONE[machine] or 0, 0, 3), _op(_LOAD, _ARGUMENTS), _op(_ANY_BIT, _CLONE_THREAD, 1, 0)]
    return b"".join((*lines, _op(_RETURN, _REFUSE), _op(_RETURN, _ALLOW)))


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """struct sock_filter: what to do, how many instructions to skip when it holds, when it does not, the operand."""
    return struct.pack("HBBI", code, yes, no, value)
