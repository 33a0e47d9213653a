"""Pages for people at ``/console``: Jinja2 templates, one CSS file, one vendored htmx file.

To add a page (docs/decisions/0050-console.md):

1. Gather its facts in a plain function of a Redis client, a namespace and the runs' folder that
   returns a frozen dataclass, so that it is tested without a browser.
2. Write a template in `templates/` that extends ``base.html``. Figures, states and forms are macros
   of ``macros.html`` (`figure`, `as_of`, `state`, `fields`, `confirm`), charts those of
   ``charts.html`` (`trend`, `bars`, `intervals`). Links are relative: ``{{ base }}generations``,
   with ids in the query, as ``{{ base }}users?id={{ id | urlencode }}``.
3. Write a router in `routes/` with `pages.reading`, whose functions are plain ``def``s, so that
   FastAPI runs them in a thread: ``return render(request, "users.html", facts=facts)``. One that
   acts is a POST with `pages.ACTS`; its form is `pages.form_of`, its token is checked before.
4. Add the router to `mount.ROUTERS`, and a page of its own to `pages.NAVIGATION`.
"""
