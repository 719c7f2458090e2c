# make libssl     the drop-in libssl.so.3, release build, as target/libssl/libssl.so.3
# make libssl-dev the same from the debug build, for work on it
# make command    the certstatus command, release build
# make install    command, library, man pages, completions, the agent's systemd unit and its sample
#                 configuration, below DESTDIR and PREFIX; builds what was never built, and nothing
#                 else, so that root need not run a compiler
# make uninstall  takes away what install put there
#
# Run a program on it with LD_LIBRARY_PATH=target/libssl, or with `certstatus exec -- PROGRAM`.

CARGO ?= cargo
LIBRARY = libcertstatus_libssl.so

LIBSSL = target/libssl/libssl.so.3
BINARY = target/release/certstatus

PREFIX ?= /usr/local
DESTDIR ?=
ROOT = $(DESTDIR)$(PREFIX)
MAN = $(ROOT)/share/man/man1
BASH_COMPLETION = $(ROOT)/share/bash-completion/completions/certstatus
ZSH_COMPLETION = $(ROOT)/share/zsh/site-functions/_certstatus
UNIT = $(ROOT)/lib/systemd/system/certstatus-agent.service
SAMPLE = $(ROOT)/share/doc/certstatus/agent.toml
FISH_COMPLETION = $(ROOT)/share/fish/vendor_completions.d/certstatus.fish

.PHONY: libssl libssl-dev command install uninstall

libssl:
	$(CARGO) build --locked --release -p certstatus-libssl
	mkdir -p target/libssl
	cp target/release/$(LIBRARY) target/libssl/libssl.so.3.new
	mv target/libssl/libssl.so.3.new target/libssl/libssl.so.3

libssl-dev:
	$(CARGO) build -p certstatus-libssl
	mkdir -p target/libssl
	cp target/debug/$(LIBRARY) target/libssl/libssl.so.3.new
	mv target/libssl/libssl.so.3.new target/libssl/libssl.so.3

command:
	$(CARGO) build --locked --release -p certstatus-cli

target/libssl/libssl.so.3:
	$(MAKE) libssl

target/release/certstatus:
	$(MAKE) command

# `install` writes a new file and does not change the one that running programs have open.
install: $(BINARY) $(LIBSSL)
	umask 022; install -D -m 755 "$(BINARY)" "$(ROOT)/bin/certstatus"
	umask 022; install -D -m 644 "$(LIBSSL)" "$(ROOT)/lib/certstatus/libssl.so.3"
	umask 022; mkdir -p "$(dir $(UNIT))"
	umask 022; sed 's|/usr/local/bin/|$(PREFIX)/bin/|' packaging/certstatus-agent.service >"$(UNIT)"
	umask 022; install -D -m 644 packaging/agent.toml "$(SAMPLE)"
	umask 022; "$(BINARY)" man "$(MAN)" >/dev/null
	umask 022; mkdir -p "$(ROOT)/share/bash-completion/completions"
	umask 022; mkdir -p "$(ROOT)/share/zsh/site-functions" "$(ROOT)/share/fish/vendor_completions.d"
	umask 022; "$(BINARY)" completions bash >"$(BASH_COMPLETION)"
	umask 022; "$(BINARY)" completions zsh >"$(ZSH_COMPLETION)"
	umask 022; "$(BINARY)" completions fish >"$(FISH_COMPLETION)"

uninstall:
	rm -f "$(ROOT)/bin/certstatus" "$(ROOT)/lib/certstatus/libssl.so.3"
	rm -f "$(MAN)"/certstatus.1 "$(MAN)"/certstatus-*.1
	rm -f "$(UNIT)" "$(SAMPLE)"
	rm -f "$(BASH_COMPLETION)" "$(ZSH_COMPLETION)" "$(FISH_COMPLETION)"
	[ ! -d "$(ROOT)/lib/certstatus" ] || rmdir --ignore-fail-on-non-empty "$(ROOT)/lib/certstatus"
