"""Asks the running kernel what execve(2) answers: one question a line, one number a line; 0 means that it started.

A question is: root, working directory, path, user, group, further groups; texts in hexadecimal, groups with commas.
"""
import os
import signal
import sys


def ask(root, directory, path, user, group, groups):
    # Neither end outlives an execve that succeeds, so that an end without a word means "started".
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            null = os.open("/dev/null", os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            os.chroot(root)
            os.chdir(directory)
            os.setgroups(groups)
            os.setgid(group)
            os.setuid(user)
        except BaseException:
            os.write(writer, b"999")
            os._exit(0)
        try:
            os.execve(path, [b"x"], {})
        except BaseException as error:
            os.write(writer, str(getattr(error, "errno", 999)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 16)
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return int(answer or b"0")


for line in sys.stdin:
    root, directory, path, user, group, groups = line.rstrip("\n").split(" ")
    texts = [bytes.fromhex(text) for text in (root, directory, path)]
    print(ask(*texts, int(user), int(group), [int(number) for number in groups.split(",") if number]))
