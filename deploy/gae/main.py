"""What App Engine serves: the app, with the SDK's own APIs at hand (`app` is the name it asks for).

wrap_wsgi_app is what a Python 3 app needs to use App Engine's bundled services; the proxy itself
uses none of them, and is measured with what it costs.
"""

from google.appengine.api import wrap_wsgi_app

from proxy_app.wsgi import application

app = wrap_wsgi_app(application)
