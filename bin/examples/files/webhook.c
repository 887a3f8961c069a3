// SPDX-License-Identifier: MIT
/*
 * DESIGN: webhook.post sends with libcurl and leaves trying again to Warren: the handler knows one
 * request, the queue file knows how often and when. The receiver tells a repeated request by its
 * Idempotency-Key, the job's id, which stays the same over all runs. A transfer is given up when
 * the job is cancelled, so that a slow receiver can't hold up a drain.
 */
#include "jobs.h"

#include <curl/curl.h>

static size_t ignore_answer(char *bytes, size_t size, size_t count, void *user)
{
    (void)bytes;
    (void)user;
    return size * count;
}

static int stop_if_cancelled(void *user, curl_off_t down_total, curl_off_t down,
                             curl_off_t up_total, curl_off_t up)
{
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return warren_job_cancelled(user);
}

static CURLcode set_up(CURL *curl, warren_job *job, const char *url, const char *text)
{
    CURLcode bad = CURLE_OK;
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_URL, url);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 5000L);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_answer);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_if_cancelled);
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_XFERINFODATA, job);
    return bad;
}

static warren_verdict post(warren_job *job, CURL *curl, const char *url, const char *text)
{
    char key[300];
    long status = 0;

    (void)snprintf(key, sizeof key, "Idempotency-Key: %s", warren_job_id(job));
    struct curl_slist *headers = curl_slist_append(NULL, key);
    CURLcode bad = headers ? set_up(curl, job, url, text) : CURLE_OUT_OF_MEMORY;
    bad = bad ? bad : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    bad = bad ? bad : curl_easy_perform(curl);
    bad = bad ? bad : curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (bad)
        return warren_retry(job, "%s: %s", url, curl_easy_strerror(bad));
    if (status < 200 || status > 299)
        return warren_retry(job, "%s: HTTP %ld", url, status);
    return WARREN_DONE;
}

warren_verdict webhook_post(warren_job *job, void *user)
{
    const char *url = warren_job_string(job, "url");
    const char *text = warren_job_string(job, "text");

    (void)user;
    if (!url || !text)
        return warren_dead(job, "no 'url' or no 'text' in the body");
    CURL *curl = curl_easy_init();
    if (!curl)
        return warren_retry(job, "no memory for libcurl");
    warren_verdict verdict = post(job, curl, url, text);
    curl_easy_cleanup(curl);
    return verdict;
}
