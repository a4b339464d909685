/* What CF_FAULT may say, and what it does: the rule that was written is carried out, and no other. */
#include "../check.h"

#include "platform/fault_rules.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

TestSuite(fault_points, .timeout = 60);

static plat_fault_plan parsed(const char *text) {
    plat_fault_plan plan;
    char complaint[256] = "";
    cr_assert(plat_fault_parse(text, &plan, complaint, sizeof complaint), "%s: %s", text,
              complaint);
    return plan;
}

Test(fault_points, no_rules) {
    cr_expect(parsed("").count == 0);
    cr_expect(parsed("seed=9").seed == 9);
    cr_expect(parsed("trace;list").traces);
}

Test(fault_points, a_whole_rule) {
    plat_fault_plan plan =
        parsed("segv:worker@point=claim.moved,task=17,attempt=2,worker=3,visit=4,times=5;seed=6");
    const plat_fault_rule *rule = &plan.rules[0];
    cr_expect(plan.count == 1 && plan.seed == 6);
    cr_expect(rule->signal == SIGSEGV && rule->target == PLAT_FAULT_WORKER);
    cr_expect(rule->point == PLAT_FAULT_CLAIM_MOVED && rule->task == 17 && rule->attempt == 2);
    cr_expect(rule->worker == 3 && rule->visit == 4 && rule->times == 5);
}

Test(fault_points, a_point_by_its_number) {
    char text[64];
    snprintf(text, sizeof text, "kill:caller@point=%d", PLAT_FAULT_DEATH_SEEN);
    cr_expect(parsed(text).rules[0].point == PLAT_FAULT_DEATH_SEEN);
}

Test(fault_points, once_unless_it_is_said) {
    cr_expect(parsed("kill:nursery@point=1").rules[0].times == 1);
    cr_expect(parsed("kill:nursery@point=1,times=0").rules[0].times == 0);
    cr_expect(parsed("kill:worker@chance=0.5").rules[0].times == 0);
}

/* Each complaint names the part that is wrong. */
Test(fault_points, what_cannot_be_read) {
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"kill", "kill"},
        {"kill:worker", "kill:worker"},
        {"worker@kill:task=1", "worker@kill"},
        {"shoot:worker@task=1", "shoot"},
        {"kill:boss@task=1", "boss"},
        {"kill:worker@", "worker"},
        {"kill:worker@task", "task"},
        {"kill:worker@task=", "''"},
        {"kill:worker@task=0", "0"},
        {"kill:worker@task=-1", "-1"},
        {"kill:worker@task=1x", "1x"},
        {"kill:worker@task=99999999999999999999", "99999999999999999999"},
        {"kill:worker@job=1", "job"},
        {"kill:worker@point=nowhere", "nowhere"},
        {"kill:worker@point=0", "0"},
        {"kill:worker@point=1000", "1000"},
        {"kill:worker@chance=0", "0"},
        {"kill:worker@chance=1.5", "1.5"},
        {"kill:worker@chance=nan", "nan"},
        {"kill:worker@worker=5000000000", "5000000000"},
        {"kill:worker@task=1,us=5", "us"},
        {"pause:worker@task=1", "us"},
        {"seed=x", "x"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        plat_fault_plan plan;
        char complaint[256] = "";
        cr_expect(!plat_fault_parse(cases[i].text, &plan, complaint, sizeof complaint), "%s",
                  cases[i].text);
        cr_expect(strstr(complaint, cases[i].named) != NULL, "%s: %s", cases[i].text, complaint);
    }
}

Test(fault_points, too_many_rules) {
    char text[1024] = "", complaint[256];
    plat_fault_plan plan;
    for (int i = 0; i < PLAT_FAULT_RULES_MAX; i++) {
        strcat(text, "kill:worker@task=1;");
    }
    cr_expect(parsed(text).count == PLAT_FAULT_RULES_MAX);
    strcat(text, "kill:worker@task=2");
    cr_expect(!plat_fault_parse(text, &plan, complaint, sizeof complaint));
}

/* ---- what they do ---------------------------------------------------------------------------- */

enum {
    TASKS = 40
};

typedef struct outcome {
    cf_status ends[TASKS];
    unsigned attempts[TASKS];
    uint64_t done;
    cf_status created;
} outcome;

typedef struct trial {
    const char *rules;
    unsigned retries;
    outcome *outcome; /* shared */
} trial;

static int be_host(void *context) {
    const trial *t = context;
    cf_executor *pool;
    cf_future *futures[TASKS];
    setenv("CF_FAULT", t->rules, 1);
    t->outcome->created = cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool);
    if (t->outcome->created != CF_OK) {
        return 0;
    }
    for (uint64_t i = 0; i < TASKS; i++) {
        const cf_submit_options options = {.retries = t->retries};
        HOST_CHECK(cf_executor_submit_with(pool, &square_task, &i, &options, &futures[i]) == CF_OK);
    }
    for (uint64_t i = 0; i < TASKS; i++) {
        uint64_t square;
        cf_info info;
        t->outcome->ends[i] = cf_future_result(futures[i], CF_FOREVER, &square);
        HOST_CHECK(t->outcome->ends[i] != CF_OK || square == i * i);
        HOST_CHECK(cf_future_info(futures[i], &info) == CF_OK);
        t->outcome->attempts[i] = info.attempts;
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    t->outcome->done = cf_faults_done();
    return 0;
}

static outcome try_rules(const char *rules, unsigned retries) {
    outcome *shared = shared_alloc(sizeof *shared);
    int status = host_run(be_host, &(trial){rules, retries, shared});
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: host ended with %x", rules,
              status);
    outcome got = *shared;
    shared_free(shared, sizeof *shared);
    return got;
}

Test(fault_points, the_task_that_was_named) {
    outcome got = try_rules("kill:worker@point=run.enters,task=17", 0);
    cr_expect(got.done == 1);
    for (size_t i = 0; i < TASKS; i++) {
        cr_expect(got.ends[i] == (i == 16 ? CF_EWORKER : CF_OK), "task %zu: %s", i + 1,
                  cf_status_name(got.ends[i]));
    }
}

Test(fault_points, once_and_then_the_retry) {
    outcome got = try_rules("segv:worker@point=run.returned,task=5", 1);
    cr_expect(got.done == 1);
    cr_expect(got.ends[4] == CF_OK && got.attempts[4] == 2);
    cr_expect(got.ends[5] == CF_OK && got.attempts[5] == 1);
}

Test(fault_points, each_attempt) {
    outcome got = try_rules("kill:worker@point=run.enters,task=5,times=0", 3);
    cr_expect(got.done == 4);
    cr_expect(got.ends[4] == CF_EWORKER && got.attempts[4] == 4);
}

Test(fault_points, the_second_attempt) {
    outcome got = try_rules("kill:worker@point=run.enters,task=5,attempt=1;"
                            "kill:worker@point=run.enters,task=5,attempt=2",
                            3);
    cr_expect(got.done == 2);
    cr_expect(got.ends[4] == CF_OK && got.attempts[4] == 3);
}

Test(fault_points, the_nursery_at_a_visit) {
    outcome got = try_rules("kill:nursery@point=publish.shown,visit=40", 0);
    cr_expect(got.done == 1);
    cr_expect(got.created == CF_OK);
}

/* Each of the 40 tasks draws once, and once more for each time that it is killed. */
Test(fault_points, the_same_seed_has_the_same_chances) {
    const char *rules = "kill:worker@point=run.enters,chance=0.1;seed=3";
    uint64_t done = try_rules(rules, 99).done;
    cr_expect(done > 0 && done < TASKS);
    cr_expect(try_rules(rules, 99).done == done);
    cr_expect(try_rules("kill:worker@point=run.enters,chance=0.000000001", 9).done == 0);
}

Test(fault_points, a_wrong_rule_makes_no_pool) {
    cr_expect(try_rules("kill:worker@point=nowhere", 0).created == CF_EINVAL);
}

Test(fault_points, every_point_has_a_name) {
    unsigned points = 0;
    while (cf_fault_point_name(points + 1) != NULL) {
        points++;
    }
    cr_expect(points == PLAT_FAULT_END - 1);
    cr_expect(cf_fault_point_name(0) == NULL);
    cr_expect(cf_fault_point_visits(points + 1) == 0);
}
