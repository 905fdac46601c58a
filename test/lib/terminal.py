#!/usr/bin/python3
"""Runs a command on a pseudo-terminal as somebody who types:  terminal.py [STEP...] -- COMMAND...

STEPs, one after the other:
  wait:TEXT   until the terminal has shown TEXT (behind what earlier steps waited for)
  type:TEXT   types it; \\r, \\x04 and the like are read as in Python
  size:RxC    makes the terminal R rows and C columns; as the first step, before the command starts
  raw         until the terminal is in raw mode
  kill:NAME   sends the signal to the command

Prints what the terminal showed, with \\n for \\r\\n, then "[status N]" (128+n for signal n) and "[mode kept]" or
"[mode changed]": whether the terminal is as it was. Fails, and says at which step, when one takes 20 seconds.
"""
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 20


class Terminal:
    def __init__(self):
        self.master, self.slave = os.openpty()
        self.shown = b""
        self.seen = 0
        self.before = termios.tcgetattr(self.slave)
        self.pid = 0
        self.status = None

    def resize(self, text):
        rows, columns = (int(n) for n in text.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def start(self, command):
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.slave, fd)
            os.closerange(3, 64)
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
                signal.signal(number, signal.SIG_DFL)
            try:
                os.execvp(command[0], command)
            finally:
                os._exit(127)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.shown += os.read(self.master, 65536)
            return True
        return False

    def until(self, step, condition):
        deadline = time.monotonic() + LIMIT
        while not condition():
            self.read(0.02)
            if time.monotonic() > deadline:
                print(self.shown.decode(errors="replace"))
                print(f"[nothing more after {LIMIT} s at: {step}]")
                os.kill(self.pid, signal.SIGKILL)
                sys.exit(1)

    def wait_for(self, step, text):
        self.until(step, lambda: text in self.shown[self.seen:])
        self.seen = self.shown.index(text, self.seen) + len(text)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def has_ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def step(self, step):
        verb, _, text = step.partition(":")
        data = text.encode().decode("unicode_escape").encode("latin-1")
        if verb == "wait":
            self.wait_for(step, data)
        elif verb == "type":
            os.write(self.master, data)
        elif verb == "size":
            self.resize(text)
        elif verb == "raw":
            self.until(step, self.is_raw)
        elif verb == "kill":
            os.kill(self.pid, getattr(signal, "SIG" + text))
        else:
            sys.exit(f"terminal.py: no such step: {step}")

    def finish(self):
        self.until("the end", self.has_ended)
        while self.read(0):
            pass
        shown = self.shown.decode(errors="replace").replace("\r\n", "\n")
        kept = termios.tcgetattr(self.slave) == self.before
        status = self.status if self.status >= 0 else 128 - self.status
        print(shown + ("" if shown.endswith("\n") or not shown else "\n") + f"[status {status}]")
        print("[mode kept]" if kept else "[mode changed]")


def main():
    words = sys.argv[1:]
    at = words.index("--")
    steps, command = words[:at], words[at + 1:]
    terminal = Terminal()
    if steps and steps[0].startswith("size:"):
        terminal.step(steps.pop(0))
    terminal.start(command)
    for step in steps:
        terminal.step(step)
    terminal.finish()


main()
