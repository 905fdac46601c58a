#!/usr/bin/env python3
"""Clients for tests:  call.py tcp|udp ADDRESS PORT <WORDS   sends what it reads, ends its side, prints what comes
                       call.py many ADDRESS PORT COUNT       so many short connections, one after the other in four
                                                             processes: prints how many were answered
                       call.py listen ADDRESS PORT           holds a port"""
import os
import socket
import sys
import time

how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(words):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(20)
        s.connect((address, port))
        s.sendall(words)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        return answer


def share(count):
    return sum(tcp(b"x\n").endswith(b"\nx\nend\n") for _ in range(count))


try:
    if how == "tcp":
        sys.stdout.buffer.write(tcp(sys.stdin.buffer.read()))
    elif how == "udp":
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((address, port))
            s.send(sys.stdin.buffer.read().strip())
            print(s.recv(65536).decode())
    elif how == "many":
        pipes = []
        for _ in range(4):
            r, w = os.pipe()
            if os.fork() == 0:
                os.write(w, b"%d\n" % share(int(sys.argv[4]) // 4))
                os._exit(0)
            os.close(w)
            pipes.append(r)
        print(sum(int(os.read(r, 100) or 0) for r in pipes))
    else:
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            s.listen()
            time.sleep(100)
except OSError as e:
    sys.exit(f"call: {e}")
