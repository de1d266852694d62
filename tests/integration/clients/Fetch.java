import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;

/**
 * JDK 17's HttpClient through a proxy, as docs/clients.md has it: java Fetch.java URL. Prints status, then base64.
 * For an IPv6 address HttpsURLConnection, without credentials: HttpClient takes such an address for a server name.
 */
public class Fetch {
    public static void main(String[] args) throws Exception {
        var proxy = URI.create(System.getenv("HTTPS_PROXY"));
        if (args[0].startsWith("https://[")) {
            var address = new InetSocketAddress(proxy.getHost(), proxy.getPort());
            var old = (HttpURLConnection) URI.create(args[0]).toURL().openConnection(new Proxy(Proxy.Type.HTTP, address));
            print(old.getResponseCode(), old.getErrorStream() == null ? new byte[0] : old.getErrorStream().readAllBytes());
            return;
        }
        var builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort())));
        if (proxy.getUserInfo() != null) {
            var user = proxy.getUserInfo().split(":", 2);
            builder.authenticator(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return getRequestorType() == RequestorType.PROXY
                            ? new PasswordAuthentication(user[0], user[1].toCharArray()) : null;
                }
            });
        }
        var request = HttpRequest.newBuilder(URI.create(args[0])).build();
        var answer = builder.build().send(request, HttpResponse.BodyHandlers.ofByteArray());
        print(answer.statusCode(), answer.body());
    }

    private static void print(int status, byte[] body) {
        System.out.println(status);
        System.out.println(Base64.getEncoder().encodeToString(body));
    }
}
