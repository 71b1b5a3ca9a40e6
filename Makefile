.PHONY: install run test test-full test-systems check lighthouse bench soak screenshots shots
install: ; python3 manage.py version
run: ; python3 manage.py up
test: ; python3 manage.py test
test-full: ; python3 manage.py test --full
# Each file in a process of its own, two at a time; those that take longest come first.
SYSTEMS = $(addprefix tests/systems/,vendure.py queues.py tryton.py nginx.py) \
	tests/db/ingest/test_sftp_files.py tests/db/ingest/test_kafka_queue.py
test-systems: ; python3 manage.py test -n2 --dist=loadfile -p no:randomly $(SYSTEMS)
check: test ; .ci/checks
lighthouse: ; python3 manage.py test -n0 -p no:randomly tests/lighthouse/page_scores.py
bench: ; python3 manage.py bench
soak: ; python3 manage.py soak
screenshots: ; python3 manage.py screenshots
shots: ; python3 manage.py screenshots --every-page $(or $(FOLDER),var/shots)
